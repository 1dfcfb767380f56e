-- statement: sqlite
INSERT INTO conversations (id, kind, pair, title, description, words, mode, mode_version, mode_policy, ai_enabled, recording_enabled, retention, is_public, allow_invites, max_members, member_count, created_at, active_at, said, avatar) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO conversations (id, kind, pair, title, description, words, mode, mode_version, mode_policy, ai_enabled, recording_enabled, retention, is_public, allow_invites, max_members, member_count, created_at, active_at, said, avatar) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BYTEA, $4::VARCHAR COLLATE "C", $5::VARCHAR COLLATE "C", $6::VARCHAR COLLATE "C", $7::VARCHAR COLLATE "C", $8::BIGINT, $9::VARCHAR COLLATE "C", $10::BOOLEAN, $11::BOOLEAN, $12::BIGINT, $13::BOOLEAN, $14::BOOLEAN, $15::BIGINT, $16::BIGINT, $17::BIGINT, $18::BIGINT, $19::BIGINT, $20::VARCHAR COLLATE "C") ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO conversations (id, kind, pair, title, description, words, mode, mode_version, mode_policy, ai_enabled, recording_enabled, retention, is_public, allow_invites, max_members, member_count, created_at, active_at, said, avatar) VALUES ($1::UUID, $2::VARCHAR, $3::BYTEA, $4::VARCHAR, $5::VARCHAR, $6::VARCHAR, $7::VARCHAR, $8::BIGINT, $9::VARCHAR, $10::BOOLEAN, $11::BOOLEAN, $12::BIGINT, $13::BOOLEAN, $14::BOOLEAN, $15::BIGINT, $16::BIGINT, $17::BIGINT, $18::BIGINT, $19::BIGINT, $20::VARCHAR) ON CONFLICT DO NOTHING

-- statement: sqlite
UPDATE conversations SET title=?, description=?, words=?, mode=?, mode_version=?, mode_policy=?, ai_enabled=?, recording_enabled=?, retention=?, is_public=?, allow_invites=?, max_members=?, avatar=? WHERE conversations.id = ?

-- statement: postgresql
UPDATE conversations SET title=$1::VARCHAR COLLATE "C", description=$2::VARCHAR COLLATE "C", words=$3::VARCHAR COLLATE "C", mode=$4::VARCHAR COLLATE "C", mode_version=$5::BIGINT, mode_policy=$6::VARCHAR COLLATE "C", ai_enabled=$7::BOOLEAN, recording_enabled=$8::BOOLEAN, retention=$9::BIGINT, is_public=$10::BOOLEAN, allow_invites=$11::BOOLEAN, max_members=$12::BIGINT, avatar=$13::VARCHAR COLLATE "C" WHERE conversations.id = $14::UUID

-- statement: cockroachdb
UPDATE conversations SET title=$1::VARCHAR, description=$2::VARCHAR, words=$3::VARCHAR, mode=$4::VARCHAR, mode_version=$5::BIGINT, mode_policy=$6::VARCHAR, ai_enabled=$7::BOOLEAN, recording_enabled=$8::BOOLEAN, retention=$9::BIGINT, is_public=$10::BOOLEAN, allow_invites=$11::BOOLEAN, max_members=$12::BIGINT, avatar=$13::VARCHAR WHERE conversations.id = $14::UUID

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.words, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar
FROM conversations
WHERE conversations.id = ?

-- statement: postgresql, cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.words, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar
FROM conversations
WHERE conversations.id = $1::UUID

-- statement: sqlite
SELECT conversations.said
FROM conversations
WHERE conversations.id = ?

-- statement: postgresql, cockroachdb
SELECT conversations.said
FROM conversations
WHERE conversations.id = $1::UUID

-- statement: sqlite
INSERT INTO conversation_members (conversation, person, role, joined_at, last_read, seen) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING person

-- statement: postgresql
INSERT INTO conversation_members (conversation, person, role, joined_at, last_read, seen) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::BIGINT, $5::UUID, $6::BIGINT) ON CONFLICT DO NOTHING RETURNING conversation_members.person

-- statement: cockroachdb
INSERT INTO conversation_members (conversation, person, "role", joined_at, last_read, seen) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::BIGINT, $5::UUID, $6::BIGINT) ON CONFLICT DO NOTHING RETURNING conversation_members.person

-- statement: sqlite
UPDATE conversations SET member_count=(conversations.member_count + ?) WHERE conversations.id = ? AND conversations.member_count + ? <= conversations.max_members

-- statement: postgresql, cockroachdb
UPDATE conversations SET member_count=(conversations.member_count + $1::BIGINT) WHERE conversations.id = $2::UUID AND conversations.member_count + $1::BIGINT <= conversations.max_members

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.words, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversations.id = ? AND conversation_members.person = ?

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.words, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversations.id = $1::UUID AND conversation_members.person = $2::UUID

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.words, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversations.id = $1::UUID AND conversation_members.person = $2::UUID

-- statement: sqlite
DELETE FROM conversation_members WHERE conversation_members.conversation = ? AND conversation_members.person = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_members WHERE conversation_members.conversation = $1::UUID AND conversation_members.person = $2::UUID

-- statement: sqlite
UPDATE conversation_members SET role=? WHERE conversation_members.conversation = ? AND conversation_members.person = ?

-- statement: postgresql
UPDATE conversation_members SET role=$1::VARCHAR COLLATE "C" WHERE conversation_members.conversation = $2::UUID AND conversation_members.person = $3::UUID

-- statement: cockroachdb
UPDATE conversation_members SET "role"=$1::VARCHAR WHERE conversation_members.conversation = $2::UUID AND conversation_members.person = $3::UUID

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = ? AND conversation_members.person = ?

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID AND conversation_members.person = $2::UUID

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID AND conversation_members.person = $2::UUID

-- statement: sqlite
SELECT conversation_members.person
FROM conversation_members
WHERE conversation_members.conversation = ? AND conversation_members.role = 'owner'

-- statement: postgresql
SELECT conversation_members.person
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID AND conversation_members.role = 'owner'

-- statement: cockroachdb
SELECT conversation_members.person
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID AND conversation_members."role" = 'owner'

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = ? ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.conversation = $1::UUID ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = ? ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT $2::INTEGER

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = ? AND (conversation_members.joined_at > ? OR conversation_members.joined_at = ? AND conversation_members.person > ?) ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID AND (conversation_members.joined_at > $2::BIGINT OR conversation_members.joined_at = $3::BIGINT AND conversation_members.person > $4::UUID) ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT $5::INTEGER

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID AND (conversation_members.joined_at > $2::BIGINT OR conversation_members.joined_at = $3::BIGINT AND conversation_members.person > $4::UUID) ORDER BY conversation_members.joined_at, conversation_members.person
 LIMIT $5::INTEGER

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = ? AND conversation_members.person IN (__[POSTCOMPILE_person_1]) ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID AND conversation_members.person IN (__[POSTCOMPILE_person_1]) ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_members JOIN accounts ON accounts.id = conversation_members.person
WHERE conversation_members.conversation = $1::UUID AND conversation_members.person IN (__[POSTCOMPILE_person_1]) ORDER BY conversation_members.joined_at, conversation_members.person

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.id = ? AND me.person IS NOT NULL

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $1::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $2::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.id = $3::UUID AND me.person IS NOT NULL

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $1::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $2::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.id = $3::UUID AND me.person IS NOT NULL

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.pair = ? AND me.person IS NOT NULL

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $1::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $2::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.pair = $3::BYTEA AND me.person IS NOT NULL

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM conversations LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $1::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $2::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person
WHERE conversations.pair = $3::BYTEA AND me.person IS NOT NULL

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = ? ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT ? OFFSET ?) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = $1::UUID ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $2::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $3::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $4::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = $1::UUID ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $2::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $3::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $4::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = ? AND (conversations.active_at < ? OR conversations.active_at = ? AND conversations.id < ?) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT ? OFFSET ?) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = $1::UUID AND (conversations.active_at < $2::BIGINT OR conversations.active_at = $3::BIGINT AND conversations.id < $4::UUID) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $5::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $6::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $7::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = $1::UUID AND (conversations.active_at < $2::BIGINT OR conversations.active_at = $3::BIGINT AND conversations.id < $4::UUID) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $5::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $6::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $7::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: sqlite
SELECT count(*) AS count_1
FROM conversation_members
WHERE conversation_members.person = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM conversation_members
WHERE conversation_members.person = $1::UUID

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public = 1 AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members.role = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = ? UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = ?))) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT ? OFFSET ?) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members.role = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = $2::UUID))) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $3::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $4::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $5::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members."role" = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = $2::UUID))) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $3::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $4::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $5::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: sqlite
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public = 1 AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members.role = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = ? UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = ?))) AND (conversations.words LIKE '%' || ? || '%' ESCAPE '/') AND (conversations.words LIKE '%' || ? || '%' ESCAPE '/') AND (conversations.active_at < ? OR conversations.active_at = ? AND conversations.id < ?) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT ? OFFSET ?) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = ? LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = ?) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: postgresql
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me.role AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other.role AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members.role = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = $2::UUID))) AND (conversations.words LIKE '%' || $3::VARCHAR COLLATE "C" || '%' ESCAPE '/') AND (conversations.words LIKE '%' || $4::VARCHAR COLLATE "C" || '%' ESCAPE '/') AND (conversations.active_at < $5::BIGINT OR conversations.active_at = $6::BIGINT AND conversations.id < $7::UUID) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $8::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $9::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $10::VARCHAR COLLATE "C") THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: cockroachdb
SELECT conversations.id, conversations.kind, conversations.pair, conversations.title, conversations.description, conversations.mode, conversations.mode_version, conversations.mode_policy, conversations.ai_enabled, conversations.recording_enabled, conversations.retention, conversations.is_public, conversations.allow_invites, conversations.max_members, conversations.member_count, conversations.created_at, conversations.active_at, conversations.said, conversations.avatar, me.conversation AS my_conversation, me.person AS my_person, me."role" AS my_role, me.joined_at AS my_joined_at, me.last_read AS my_last_read, me.seen AS my_seen, other.conversation AS their_conversation, other.person AS their_person, other."role" AS their_role, other.joined_at AS their_joined_at, other.last_read AS their_last_read, other.seen AS their_seen, face.username AS their_username, face.display_name AS their_display_name, face.avatar AS their_avatar
FROM (SELECT conversations.id AS id
FROM conversations
WHERE conversations.is_public AND (conversations.id NOT IN (SELECT conversation_members.conversation
FROM conversation_members
WHERE conversation_members."role" = 'owner' AND conversation_members.person IN (SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = $2::UUID))) AND (conversations.words LIKE '%' || $3::VARCHAR || '%' ESCAPE '/') AND (conversations.words LIKE '%' || $4::VARCHAR || '%' ESCAPE '/') AND (conversations.active_at < $5::BIGINT OR conversations.active_at = $6::BIGINT AND conversations.id < $7::UUID) ORDER BY conversations.active_at DESC, conversations.id DESC
 LIMIT $8::INTEGER) AS page JOIN conversations ON conversations.id = page.id LEFT OUTER JOIN conversation_members AS me ON me.conversation = conversations.id AND me.person = $9::UUID LEFT OUTER JOIN conversation_members AS other ON other.conversation = CASE WHEN (conversations.kind = $10::VARCHAR) THEN conversations.id END AND other.person != me.person LEFT OUTER JOIN accounts AS face ON face.id = other.person ORDER BY conversations.active_at DESC, conversations.id DESC

-- statement: sqlite
DELETE FROM conversation_invites WHERE conversation_invites.conversation = ? AND conversation_invites.expires_at <= ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_invites WHERE conversation_invites.conversation = $1::UUID AND conversation_invites.expires_at <= $2::BIGINT

-- statement: sqlite
SELECT count(*) AS count_1
FROM conversation_invites
WHERE conversation_invites.conversation = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM conversation_invites
WHERE conversation_invites.conversation = $1::UUID

-- statement: sqlite
INSERT INTO conversation_invites (id, conversation, digest, created_by, created_at, expires_at, max_uses, uses) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- statement: postgresql, cockroachdb
INSERT INTO conversation_invites (id, conversation, digest, created_by, created_at, expires_at, max_uses, uses) VALUES ($1::UUID, $2::UUID, $3::BYTEA, $4::UUID, $5::BIGINT, $6::BIGINT, $7::BIGINT, $8::BIGINT)

-- statement: sqlite
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.digest = ?

-- statement: postgresql, cockroachdb
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.digest = $1::BYTEA

-- statement: sqlite
UPDATE conversation_invites SET uses=(conversation_invites.uses + ?) WHERE conversation_invites.id = ? AND conversation_invites.expires_at > ? AND (conversation_invites.max_uses IS NULL OR conversation_invites.uses < conversation_invites.max_uses)

-- statement: postgresql, cockroachdb
UPDATE conversation_invites SET uses=(conversation_invites.uses + $1::BIGINT) WHERE conversation_invites.id = $2::UUID AND conversation_invites.expires_at > $3::BIGINT AND (conversation_invites.max_uses IS NULL OR conversation_invites.uses < conversation_invites.max_uses)

-- statement: sqlite
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.conversation = ? ORDER BY conversation_invites.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.conversation = $1::UUID ORDER BY conversation_invites.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.conversation = ? AND conversation_invites.id < ? ORDER BY conversation_invites.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.conversation = $1::UUID AND conversation_invites.id < $2::UUID ORDER BY conversation_invites.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
DELETE FROM conversation_invites WHERE conversation_invites.conversation = ? AND conversation_invites.id = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_invites WHERE conversation_invites.conversation = $1::UUID AND conversation_invites.id = $2::UUID

-- statement: sqlite
INSERT INTO conversation_bans (conversation, person, banned_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql, cockroachdb
INSERT INTO conversation_bans (conversation, person, banned_at) VALUES ($1::UUID, $2::UUID, $3::BIGINT) ON CONFLICT DO NOTHING

-- statement: sqlite
SELECT count(*) AS count_1
FROM conversation_bans
WHERE conversation_bans.conversation = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM conversation_bans
WHERE conversation_bans.conversation = $1::UUID

-- statement: sqlite
DELETE FROM conversation_invites WHERE conversation_invites.conversation = ? AND conversation_invites.created_by = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_invites WHERE conversation_invites.conversation = $1::UUID AND conversation_invites.created_by = $2::UUID

-- statement: sqlite
SELECT conversation_bans.person
FROM conversation_bans
WHERE conversation_bans.conversation = ? AND conversation_bans.person IN (__[POSTCOMPILE_person_1])

-- statement: postgresql, cockroachdb
SELECT conversation_bans.person
FROM conversation_bans
WHERE conversation_bans.conversation = $1::UUID AND conversation_bans.person IN (__[POSTCOMPILE_person_1])

-- statement: sqlite
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_bans JOIN accounts ON accounts.id = conversation_bans.person
WHERE conversation_bans.conversation = ? ORDER BY conversation_bans.banned_at DESC, conversation_bans.person DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_bans JOIN accounts ON accounts.id = conversation_bans.person
WHERE conversation_bans.conversation = $1::UUID ORDER BY conversation_bans.banned_at DESC, conversation_bans.person DESC
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_bans JOIN accounts ON accounts.id = conversation_bans.person
WHERE conversation_bans.conversation = ? AND (conversation_bans.banned_at < ? OR conversation_bans.banned_at = ? AND conversation_bans.person < ?) ORDER BY conversation_bans.banned_at DESC, conversation_bans.person DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at, accounts.username, accounts.display_name, accounts.avatar
FROM conversation_bans JOIN accounts ON accounts.id = conversation_bans.person
WHERE conversation_bans.conversation = $1::UUID AND (conversation_bans.banned_at < $2::BIGINT OR conversation_bans.banned_at = $3::BIGINT AND conversation_bans.person < $4::UUID) ORDER BY conversation_bans.banned_at DESC, conversation_bans.person DESC
 LIMIT $5::INTEGER

-- statement: sqlite
DELETE FROM conversation_bans WHERE conversation_bans.conversation = ? AND conversation_bans.person = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_bans WHERE conversation_bans.conversation = $1::UUID AND conversation_bans.person = $2::UUID

-- statement: sqlite
INSERT INTO mode_proposals (id, conversation, mode, proposed_by, proposed_at, expires_at, state, ended_at, open_in) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO mode_proposals (id, conversation, mode, proposed_by, proposed_at, expires_at, state, ended_at, open_in) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::UUID, $5::BIGINT, $6::BIGINT, $7::VARCHAR COLLATE "C", $8::BIGINT, $9::UUID) ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO mode_proposals (id, conversation, mode, proposed_by, proposed_at, expires_at, state, ended_at, open_in) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::UUID, $5::BIGINT, $6::BIGINT, $7::VARCHAR, $8::BIGINT, $9::UUID) ON CONFLICT DO NOTHING

-- statement: sqlite
INSERT INTO mode_answers (proposal, person, consents, answered_at) VALUES (?, ?, ?, ?) ON CONFLICT (proposal, person) DO UPDATE SET consents = excluded.consents, answered_at = excluded.answered_at

-- statement: postgresql, cockroachdb
INSERT INTO mode_answers (proposal, person, consents, answered_at) VALUES ($1::UUID, $2::UUID, $3::BOOLEAN, $4::BIGINT) ON CONFLICT (proposal, person) DO UPDATE SET consents = excluded.consents, answered_at = excluded.answered_at

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.open_in = ?

-- statement: postgresql, cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.open_in = $1::UUID

-- statement: sqlite
SELECT mode_answers.proposal, mode_answers.person, mode_answers.consents, mode_answers.answered_at
FROM mode_answers
WHERE mode_answers.proposal = ? ORDER BY mode_answers.answered_at, mode_answers.person

-- statement: postgresql, cockroachdb
SELECT mode_answers.proposal, mode_answers.person, mode_answers.consents, mode_answers.answered_at
FROM mode_answers
WHERE mode_answers.proposal = $1::UUID ORDER BY mode_answers.answered_at, mode_answers.person

-- statement: sqlite
UPDATE mode_proposals SET state=?, ended_at=?, open_in=? WHERE mode_proposals.id = ?

-- statement: postgresql
UPDATE mode_proposals SET state=$1::VARCHAR COLLATE "C", ended_at=$2::BIGINT, open_in=$3::UUID WHERE mode_proposals.id = $4::UUID

-- statement: cockroachdb
UPDATE mode_proposals SET state=$1::VARCHAR, ended_at=$2::BIGINT, open_in=$3::UUID WHERE mode_proposals.id = $4::UUID

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = ? AND mode_proposals.id = ?

-- statement: postgresql, cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = $1::UUID AND mode_proposals.id = $2::UUID

-- statement: sqlite
SELECT count(*) AS count_1
FROM mode_proposals
WHERE mode_proposals.conversation = ? AND mode_proposals.id >= ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM mode_proposals
WHERE mode_proposals.conversation = $1::UUID AND mode_proposals.id >= $2::UUID

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.state = ? AND mode_proposals.expires_at <= ? ORDER BY mode_proposals.expires_at
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.state = $1::VARCHAR COLLATE "C" AND mode_proposals.expires_at <= $2::BIGINT ORDER BY mode_proposals.expires_at
 LIMIT $3::INTEGER

-- statement: cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.state = $1::VARCHAR AND mode_proposals.expires_at <= $2::BIGINT ORDER BY mode_proposals.expires_at
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = ? ORDER BY mode_proposals.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = $1::UUID ORDER BY mode_proposals.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite, postgresql, cockroachdb
SELECT mode_answers.proposal, mode_answers.consents, count(*) AS many
FROM mode_answers
WHERE mode_answers.proposal IN (__[POSTCOMPILE_proposal_1]) GROUP BY mode_answers.proposal, mode_answers.consents

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = ? AND mode_proposals.id < ? ORDER BY mode_proposals.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.conversation = $1::UUID AND mode_proposals.id < $2::UUID ORDER BY mode_proposals.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT conversations.mode, conversations.ai_enabled, conversations.recording_enabled, conversations.mode_version
FROM conversations
WHERE conversations.id = ?

-- statement: postgresql, cockroachdb
SELECT conversations.mode, conversations.ai_enabled, conversations.recording_enabled, conversations.mode_version
FROM conversations
WHERE conversations.id = $1::UUID FOR UPDATE

-- statement: sqlite
UPDATE conversations SET active_at=CASE WHEN (conversations.active_at < ?) THEN ? ELSE conversations.active_at END, said=(conversations.said + ?) WHERE conversations.id = ? RETURNING mode, ai_enabled, recording_enabled, mode_version

-- statement: postgresql, cockroachdb
UPDATE conversations SET active_at=CASE WHEN (conversations.active_at < $1::BIGINT) THEN $2::BIGINT ELSE conversations.active_at END, said=(conversations.said + $3::BIGINT) WHERE conversations.id = $4::UUID RETURNING conversations.mode, conversations.ai_enabled, conversations.recording_enabled, conversations.mode_version

-- statement: sqlite
UPDATE conversation_members SET seen=(conversation_members.seen + ?) WHERE conversation_members.conversation = ? AND conversation_members.person = ?

-- statement: postgresql, cockroachdb
UPDATE conversation_members SET seen=(conversation_members.seen + $1::BIGINT) WHERE conversation_members.conversation = $2::UUID AND conversation_members.person = $3::UUID

-- statement: sqlite
UPDATE conversation_members SET last_read=?, seen=((SELECT conversations.said
FROM conversations
WHERE conversations.id = ?) - ?) WHERE conversation_members.conversation = ? AND conversation_members.person = ? AND (conversation_members.last_read IS NULL OR conversation_members.last_read < ?)

-- statement: postgresql, cockroachdb
UPDATE conversation_members SET last_read=$1::UUID, seen=((SELECT conversations.said
FROM conversations
WHERE conversations.id = $2::UUID) - $3::BIGINT) WHERE conversation_members.conversation = $4::UUID AND conversation_members.person = $5::UUID AND (conversation_members.last_read IS NULL OR conversation_members.last_read < $6::UUID)

-- statement: sqlite
SELECT DISTINCT theirs.person
FROM conversation_members AS mine JOIN conversation_members AS theirs ON theirs.conversation = mine.conversation
WHERE mine.person = ? AND theirs.person != ? ORDER BY theirs.person
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT DISTINCT theirs.person
FROM conversation_members AS mine JOIN conversation_members AS theirs ON theirs.conversation = mine.conversation
WHERE mine.person = $1::UUID AND theirs.person != $2::UUID ORDER BY theirs.person
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT DISTINCT theirs.person
FROM conversation_members AS mine JOIN conversation_members AS theirs ON theirs.conversation = mine.conversation
WHERE mine.person = ? AND theirs.person != ? AND theirs.person > ? ORDER BY theirs.person
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT DISTINCT theirs.person
FROM conversation_members AS mine JOIN conversation_members AS theirs ON theirs.conversation = mine.conversation
WHERE mine.person = $1::UUID AND theirs.person != $2::UUID AND theirs.person > $3::UUID ORDER BY theirs.person
 LIMIT $4::INTEGER

-- statement: sqlite
DELETE FROM mode_answers WHERE mode_answers.proposal IN (SELECT mode_proposals.id
FROM mode_proposals
WHERE mode_proposals.conversation = ?)

-- statement: postgresql, cockroachdb
DELETE FROM mode_answers WHERE mode_answers.proposal IN (SELECT mode_proposals.id
FROM mode_proposals
WHERE mode_proposals.conversation = $1::UUID)

-- statement: sqlite
DELETE FROM mode_proposals WHERE mode_proposals.conversation = ?

-- statement: postgresql, cockroachdb
DELETE FROM mode_proposals WHERE mode_proposals.conversation = $1::UUID

-- statement: sqlite
DELETE FROM conversation_invites WHERE conversation_invites.conversation = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_invites WHERE conversation_invites.conversation = $1::UUID

-- statement: sqlite
DELETE FROM conversation_bans WHERE conversation_bans.conversation = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_bans WHERE conversation_bans.conversation = $1::UUID

-- statement: sqlite
DELETE FROM conversation_members WHERE conversation_members.conversation = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversation_members WHERE conversation_members.conversation = $1::UUID

-- statement: sqlite
DELETE FROM conversations WHERE conversations.id = ?

-- statement: postgresql, cockroachdb
DELETE FROM conversations WHERE conversations.id = $1::UUID

