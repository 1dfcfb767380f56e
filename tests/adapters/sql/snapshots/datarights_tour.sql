-- statement: sqlite
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.account = ? ORDER BY sessions.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.account = $1::UUID ORDER BY sessions.id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM sessions WHERE sessions.id IN (SELECT sessions.id
FROM sessions
WHERE sessions.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM sessions WHERE sessions.id IN (SELECT sessions.id
FROM sessions
WHERE sessions.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.account = ? ORDER BY one_time_links.digest
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.account = $1::UUID ORDER BY one_time_links.digest
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM one_time_links WHERE one_time_links.digest IN (SELECT one_time_links.digest
FROM one_time_links
WHERE one_time_links.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM one_time_links WHERE one_time_links.digest IN (SELECT one_time_links.digest
FROM one_time_links
WHERE one_time_links.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT second_factors.account, second_factors.secret, second_factors.created_at, second_factors.last_step, second_factors.confirmed_at
FROM second_factors
WHERE second_factors.account = ? ORDER BY second_factors.account
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT second_factors.account, second_factors.secret, second_factors.created_at, second_factors.last_step, second_factors.confirmed_at
FROM second_factors
WHERE second_factors.account = $1::UUID ORDER BY second_factors.account
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM second_factors WHERE second_factors.account IN (SELECT second_factors.account
FROM second_factors
WHERE second_factors.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM second_factors WHERE second_factors.account IN (SELECT second_factors.account
FROM second_factors
WHERE second_factors.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
DELETE FROM recovery_codes WHERE (recovery_codes.account, recovery_codes.digest) IN (SELECT recovery_codes.account, recovery_codes.digest
FROM recovery_codes
WHERE recovery_codes.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM recovery_codes WHERE (recovery_codes.account, recovery_codes.digest) IN (SELECT recovery_codes.account, recovery_codes.digest
FROM recovery_codes
WHERE recovery_codes.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT told.id, told.username, told.display_name, told.accepted, told.asked_by_you, told.since
FROM (SELECT accounts.id AS id, accounts.username AS username, accounts.display_name AS display_name, tie.accepted AS accepted, tie.asker = ? AS asked_by_you, tie.since AS since
FROM accounts JOIN (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie ON tie.other = accounts.id) AS told ORDER BY told.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT told.id, told.username, told.display_name, told.accepted, told.asked_by_you, told.since
FROM (SELECT accounts.id AS id, accounts.username AS username, accounts.display_name AS display_name, tie.accepted AS accepted, tie.asker = $1::UUID AS asked_by_you, tie.since AS since
FROM accounts JOIN (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $2::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $3::UUID) AS tie ON tie.other = accounts.id) AS told ORDER BY told.id
 LIMIT $4::INTEGER

-- statement: sqlite
SELECT told.id, told.username, told.display_name, told.created_at
FROM (SELECT accounts.id AS id, accounts.username AS username, accounts.display_name AS display_name, blocks.created_at AS created_at
FROM accounts JOIN blocks ON blocks.blocked = accounts.id
WHERE blocks.blocker = ?) AS told ORDER BY told.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT told.id, told.username, told.display_name, told.created_at
FROM (SELECT accounts.id AS id, accounts.username AS username, accounts.display_name AS display_name, blocks.created_at AS created_at
FROM accounts JOIN blocks ON blocks.blocked = accounts.id
WHERE blocks.blocker = $1::UUID) AS told ORDER BY told.id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM friendships WHERE (friendships.low, friendships.high) IN (SELECT friendships.low, friendships.high
FROM friendships
WHERE friendships.low = ? OR friendships.high = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM friendships WHERE (friendships.low, friendships.high) IN (SELECT friendships.low, friendships.high
FROM friendships
WHERE friendships.low = $1::UUID OR friendships.high = $2::UUID
 LIMIT $3::INTEGER)

-- statement: sqlite
DELETE FROM blocks WHERE (blocks.blocker, blocks.blocked) IN (SELECT blocks.blocker, blocks.blocked
FROM blocks
WHERE blocks.blocker = ? OR blocks.blocked = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM blocks WHERE (blocks.blocker, blocks.blocked) IN (SELECT blocks.blocker, blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID OR blocks.blocked = $2::UUID
 LIMIT $3::INTEGER)

-- statement: sqlite
SELECT search_words.word, search_words.account
FROM search_words
WHERE search_words.account = ? ORDER BY search_words.word, search_words.account
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT search_words.word, search_words.account
FROM search_words
WHERE search_words.account = $1::UUID ORDER BY search_words.word, search_words.account
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM search_words WHERE (search_words.word, search_words.account) IN (SELECT search_words.word, search_words.account
FROM search_words
WHERE search_words.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM search_words WHERE (search_words.word, search_words.account) IN (SELECT search_words.word, search_words.account
FROM search_words
WHERE search_words.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given
FROM key_devices
WHERE key_devices.account = ? ORDER BY key_devices.account, key_devices.device_id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given
FROM key_devices
WHERE key_devices.account = $1::UUID ORDER BY key_devices.account, key_devices.device_id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM key_devices WHERE (key_devices.account, key_devices.device_id) IN (SELECT key_devices.account, key_devices.device_id
FROM key_devices
WHERE key_devices.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM key_devices WHERE (key_devices.account, key_devices.device_id) IN (SELECT key_devices.account, key_devices.device_id
FROM key_devices
WHERE key_devices.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id, one_time_keys.public_key, one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = ? ORDER BY one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id, one_time_keys.public_key, one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID ORDER BY one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM one_time_keys WHERE (one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id) IN (SELECT one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id
FROM one_time_keys
WHERE one_time_keys.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM one_time_keys WHERE (one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id) IN (SELECT one_time_keys.account, one_time_keys.device_id, one_time_keys.key_id
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id, retired_signed_keys.public_key, retired_signed_keys.retired_at
FROM retired_signed_keys
WHERE retired_signed_keys.account = ? ORDER BY retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id, retired_signed_keys.public_key, retired_signed_keys.retired_at
FROM retired_signed_keys
WHERE retired_signed_keys.account = $1::UUID ORDER BY retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM retired_signed_keys WHERE (retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id) IN (SELECT retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id
FROM retired_signed_keys
WHERE retired_signed_keys.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM retired_signed_keys WHERE (retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id) IN (SELECT retired_signed_keys.account, retired_signed_keys.device_id, retired_signed_keys.key_id
FROM retired_signed_keys
WHERE retired_signed_keys.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = ? ORDER BY key_changes.account, key_changes.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID ORDER BY key_changes.account, key_changes.id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM key_changes WHERE (key_changes.account, key_changes.id) IN (SELECT key_changes.account, key_changes.id
FROM key_changes
WHERE key_changes.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM key_changes WHERE (key_changes.account, key_changes.id) IN (SELECT key_changes.account, key_changes.id
FROM key_changes
WHERE key_changes.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT subscriptions.account, subscriptions."plan", subscriptions.starts_at, subscriptions.ends_at, subscriptions.limits
FROM subscriptions
WHERE subscriptions.account = ? ORDER BY subscriptions.account
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT subscriptions.account, subscriptions.plan, subscriptions.starts_at, subscriptions.ends_at, subscriptions.limits
FROM subscriptions
WHERE subscriptions.account = $1::UUID ORDER BY subscriptions.account
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM subscriptions WHERE subscriptions.account IN (SELECT subscriptions.account
FROM subscriptions
WHERE subscriptions.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM subscriptions WHERE subscriptions.account IN (SELECT subscriptions.account
FROM subscriptions
WHERE subscriptions.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.person = ? ORDER BY exports.person
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.person = $1::UUID ORDER BY exports.person
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM exports WHERE exports.person IN (SELECT exports.person
FROM exports
WHERE exports.person = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM exports WHERE exports.person IN (SELECT exports.person
FROM exports
WHERE exports.person = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = ? OR audit_log.subject = ? ORDER BY audit_log.id
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = $1::VARCHAR COLLATE "C" OR audit_log.subject = $2::VARCHAR COLLATE "C" ORDER BY audit_log.id
 LIMIT $3::INTEGER

-- statement: cockroachdb
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = $1::VARCHAR OR audit_log.subject = $2::VARCHAR ORDER BY audit_log.id
 LIMIT $3::INTEGER

-- statement: sqlite
UPDATE audit_log SET actor=CASE WHEN (audit_log.actor = ?) THEN ? ELSE audit_log.actor END, subject=CASE WHEN (audit_log.subject = ?) THEN ? ELSE audit_log.subject END WHERE audit_log.id IN (SELECT audit_log.id
FROM audit_log
WHERE audit_log.actor = ? OR audit_log.subject = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql
UPDATE audit_log SET actor=CASE WHEN (audit_log.actor = $1::VARCHAR COLLATE "C") THEN $2::VARCHAR ELSE audit_log.actor END, subject=CASE WHEN (audit_log.subject = $3::VARCHAR COLLATE "C") THEN $4::VARCHAR ELSE audit_log.subject END WHERE audit_log.id IN (SELECT audit_log.id
FROM audit_log
WHERE audit_log.actor = $5::VARCHAR COLLATE "C" OR audit_log.subject = $6::VARCHAR COLLATE "C"
 LIMIT $7::INTEGER)

-- statement: cockroachdb
UPDATE audit_log SET actor=CASE WHEN (audit_log.actor = $1::VARCHAR) THEN $2::VARCHAR ELSE audit_log.actor END, subject=CASE WHEN (audit_log.subject = $3::VARCHAR) THEN $4::VARCHAR ELSE audit_log.subject END WHERE audit_log.id IN (SELECT audit_log.id
FROM audit_log
WHERE audit_log.actor = $5::VARCHAR OR audit_log.subject = $6::VARCHAR
 LIMIT $7::INTEGER)

-- statement: sqlite
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.made_by = ? ORDER BY api_keys.id
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.made_by = $1::VARCHAR COLLATE "C" ORDER BY api_keys.id
 LIMIT $2::INTEGER

-- statement: cockroachdb
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.made_by = $1::VARCHAR ORDER BY api_keys.id
 LIMIT $2::INTEGER

-- statement: sqlite
UPDATE api_keys SET made_by=CASE WHEN (api_keys.made_by = ?) THEN ? ELSE api_keys.made_by END WHERE api_keys.id IN (SELECT api_keys.id
FROM api_keys
WHERE api_keys.made_by = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql
UPDATE api_keys SET made_by=CASE WHEN (api_keys.made_by = $1::VARCHAR COLLATE "C") THEN $2::VARCHAR ELSE api_keys.made_by END WHERE api_keys.id IN (SELECT api_keys.id
FROM api_keys
WHERE api_keys.made_by = $3::VARCHAR COLLATE "C"
 LIMIT $4::INTEGER)

-- statement: cockroachdb
UPDATE api_keys SET made_by=CASE WHEN (api_keys.made_by = $1::VARCHAR) THEN $2::VARCHAR ELSE api_keys.made_by END WHERE api_keys.id IN (SELECT api_keys.id
FROM api_keys
WHERE api_keys.made_by = $3::VARCHAR
 LIMIT $4::INTEGER)

-- statement: sqlite
UPDATE erasures SET asked_by=CASE WHEN (erasures.asked_by = ?) THEN ? ELSE erasures.asked_by END WHERE erasures.id IN (SELECT erasures.id
FROM erasures
WHERE erasures.asked_by = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql
UPDATE erasures SET asked_by=CASE WHEN (erasures.asked_by = $1::VARCHAR COLLATE "C") THEN $2::VARCHAR ELSE erasures.asked_by END WHERE erasures.id IN (SELECT erasures.id
FROM erasures
WHERE erasures.asked_by = $3::VARCHAR COLLATE "C"
 LIMIT $4::INTEGER)

-- statement: cockroachdb
UPDATE erasures SET asked_by=CASE WHEN (erasures.asked_by = $1::VARCHAR) THEN $2::VARCHAR ELSE erasures.asked_by END WHERE erasures.id IN (SELECT erasures.id
FROM erasures
WHERE erasures.asked_by = $3::VARCHAR
 LIMIT $4::INTEGER)

-- statement: sqlite
SELECT last_seen.account, last_seen.at
FROM last_seen
WHERE last_seen.account = ? ORDER BY last_seen.account
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT last_seen.account, last_seen.at
FROM last_seen
WHERE last_seen.account = $1::UUID ORDER BY last_seen.account
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM last_seen WHERE last_seen.account IN (SELECT last_seen.account
FROM last_seen
WHERE last_seen.account = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM last_seen WHERE last_seen.account IN (SELECT last_seen.account
FROM last_seen
WHERE last_seen.account = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT told.id, told.kind, told.title, told.mode
FROM (SELECT conversations.id AS id, conversations.kind AS kind, conversations.title AS title, conversations.mode AS mode
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = ?) AS told ORDER BY told.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT told.id, told.kind, told.title, told.mode
FROM (SELECT conversations.id AS id, conversations.kind AS kind, conversations.title AS title, conversations.mode AS mode
FROM conversations JOIN conversation_members ON conversation_members.conversation = conversations.id
WHERE conversation_members.person = $1::UUID) AS told ORDER BY told.id
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.person = ? ORDER BY conversation_members.conversation, conversation_members.person
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT conversation_members.conversation, conversation_members.person, conversation_members.role, conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.person = $1::UUID ORDER BY conversation_members.conversation, conversation_members.person
 LIMIT $2::INTEGER

-- statement: cockroachdb
SELECT conversation_members.conversation, conversation_members.person, conversation_members."role", conversation_members.joined_at, conversation_members.last_read, conversation_members.seen
FROM conversation_members
WHERE conversation_members.person = $1::UUID ORDER BY conversation_members.conversation, conversation_members.person
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM conversation_members WHERE (conversation_members.conversation, conversation_members.person) IN (SELECT conversation_members.conversation, conversation_members.person
FROM conversation_members
WHERE conversation_members.person = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM conversation_members WHERE (conversation_members.conversation, conversation_members.person) IN (SELECT conversation_members.conversation, conversation_members.person
FROM conversation_members
WHERE conversation_members.person = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.created_by = ? ORDER BY conversation_invites.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_invites.id, conversation_invites.conversation, conversation_invites.digest, conversation_invites.created_by, conversation_invites.created_at, conversation_invites.expires_at, conversation_invites.max_uses, conversation_invites.uses
FROM conversation_invites
WHERE conversation_invites.created_by = $1::UUID ORDER BY conversation_invites.id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM conversation_invites WHERE conversation_invites.id IN (SELECT conversation_invites.id
FROM conversation_invites
WHERE conversation_invites.created_by = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM conversation_invites WHERE conversation_invites.id IN (SELECT conversation_invites.id
FROM conversation_invites
WHERE conversation_invites.created_by = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at
FROM conversation_bans
WHERE conversation_bans.person = ? ORDER BY conversation_bans.conversation, conversation_bans.person
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT conversation_bans.conversation, conversation_bans.person, conversation_bans.banned_at
FROM conversation_bans
WHERE conversation_bans.person = $1::UUID ORDER BY conversation_bans.conversation, conversation_bans.person
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM conversation_bans WHERE (conversation_bans.conversation, conversation_bans.person) IN (SELECT conversation_bans.conversation, conversation_bans.person
FROM conversation_bans
WHERE conversation_bans.person = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM conversation_bans WHERE (conversation_bans.conversation, conversation_bans.person) IN (SELECT conversation_bans.conversation, conversation_bans.person
FROM conversation_bans
WHERE conversation_bans.person = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT mode_answers.proposal, mode_answers.person, mode_answers.consents, mode_answers.answered_at
FROM mode_answers
WHERE mode_answers.person = ? ORDER BY mode_answers.proposal, mode_answers.person
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT mode_answers.proposal, mode_answers.person, mode_answers.consents, mode_answers.answered_at
FROM mode_answers
WHERE mode_answers.person = $1::UUID ORDER BY mode_answers.proposal, mode_answers.person
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM mode_answers WHERE (mode_answers.proposal, mode_answers.person) IN (SELECT mode_answers.proposal, mode_answers.person
FROM mode_answers
WHERE mode_answers.person = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM mode_answers WHERE (mode_answers.proposal, mode_answers.person) IN (SELECT mode_answers.proposal, mode_answers.person
FROM mode_answers
WHERE mode_answers.person = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.proposed_by = ? ORDER BY mode_proposals.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT mode_proposals.id, mode_proposals.conversation, mode_proposals.mode, mode_proposals.proposed_by, mode_proposals.proposed_at, mode_proposals.expires_at, mode_proposals.state, mode_proposals.ended_at, mode_proposals.open_in
FROM mode_proposals
WHERE mode_proposals.proposed_by = $1::UUID ORDER BY mode_proposals.id
 LIMIT $2::INTEGER

-- statement: sqlite
UPDATE mode_proposals SET proposed_by=CASE WHEN (mode_proposals.proposed_by = ?) THEN NULL ELSE mode_proposals.proposed_by END WHERE mode_proposals.id IN (SELECT mode_proposals.id
FROM mode_proposals
WHERE mode_proposals.proposed_by = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
UPDATE mode_proposals SET proposed_by=CASE WHEN (mode_proposals.proposed_by = $1::UUID) THEN NULL ELSE mode_proposals.proposed_by END WHERE mode_proposals.id IN (SELECT mode_proposals.id
FROM mode_proposals
WHERE mode_proposals.proposed_by = $2::UUID
 LIMIT $3::INTEGER)

-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.id = ? ORDER BY accounts.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.id = $1::UUID ORDER BY accounts.id
 LIMIT $2::INTEGER

-- statement: sqlite
DELETE FROM accounts WHERE accounts.id IN (SELECT accounts.id
FROM accounts
WHERE accounts.id = ?
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM accounts WHERE accounts.id IN (SELECT accounts.id
FROM accounts
WHERE accounts.id = $1::UUID
 LIMIT $2::INTEGER)

-- statement: sqlite
SELECT accounts.email
FROM accounts
WHERE accounts.id = ? UNION SELECT erasures.address
FROM erasures
WHERE erasures.person = ? AND erasures.address IS NOT NULL UNION SELECT one_time_links.about
FROM one_time_links
WHERE one_time_links.account = ? AND one_time_links.about != ?

-- statement: postgresql
SELECT accounts.email
FROM accounts
WHERE accounts.id = $1::UUID UNION SELECT erasures.address
FROM erasures
WHERE erasures.person = $2::UUID AND erasures.address IS NOT NULL UNION SELECT one_time_links.about
FROM one_time_links
WHERE one_time_links.account = $3::UUID AND one_time_links.about != $4::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT accounts.email
FROM accounts
WHERE accounts.id = $1::UUID UNION SELECT erasures.address
FROM erasures
WHERE erasures.person = $2::UUID AND erasures.address IS NOT NULL UNION SELECT one_time_links.about
FROM one_time_links
WHERE one_time_links.account = $3::UUID AND one_time_links.about != $4::VARCHAR

-- statement: sqlite
SELECT jobs.id, jobs.kind, jobs.dedup_key, jobs.payload
FROM jobs
WHERE jobs.id > ? AND jobs.kind IN (__[POSTCOMPILE_kind_1]) ORDER BY jobs.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT jobs.id, jobs.kind, jobs.dedup_key, jobs.payload
FROM jobs
WHERE jobs.id > $1::UUID AND jobs.kind IN (__[POSTCOMPILE_kind_1]) ORDER BY jobs.id
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT audit_log.id, audit_log.details AS text
FROM audit_log
WHERE ((audit_log.details LIKE '%' || ? || '%') OR (audit_log.details LIKE '%' || ? || '%')) AND audit_log.id >= ?
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT audit_log.id, audit_log.details AS text
FROM audit_log
WHERE ((audit_log.details LIKE '%' || $1::VARCHAR COLLATE "C" || '%') OR (audit_log.details LIKE '%' || $2::VARCHAR COLLATE "C" || '%')) AND audit_log.id >= $3::UUID
 LIMIT $4::INTEGER

-- statement: cockroachdb
SELECT audit_log.id, audit_log.details AS text
FROM audit_log
WHERE ((audit_log.details LIKE '%' || $1::VARCHAR || '%') OR (audit_log.details LIKE '%' || $2::VARCHAR || '%')) AND audit_log.id >= $3::UUID
 LIMIT $4::INTEGER

-- statement: sqlite
INSERT INTO exports (person, id, state, requested_at, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (person) DO UPDATE SET person = ?, id = ?, state = ?, requested_at = ?, expires_at = ? WHERE exports.requested_at <= ? OR exports.state = ?

-- statement: postgresql
INSERT INTO exports (person, id, state, requested_at, expires_at) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::BIGINT, $5::BIGINT) ON CONFLICT (person) DO UPDATE SET person = $6::UUID, id = $7::UUID, state = $8::VARCHAR COLLATE "C", requested_at = $9::BIGINT, expires_at = $10::BIGINT WHERE exports.requested_at <= $11::BIGINT OR exports.state = $12::VARCHAR COLLATE "C"

-- statement: cockroachdb
INSERT INTO exports (person, id, state, requested_at, expires_at) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::BIGINT, $5::BIGINT) ON CONFLICT (person) DO UPDATE SET person = $6::UUID, id = $7::UUID, state = $8::VARCHAR, requested_at = $9::BIGINT, expires_at = $10::BIGINT WHERE exports.requested_at <= $11::BIGINT OR exports.state = $12::VARCHAR

-- statement: sqlite
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.person = ?

-- statement: postgresql, cockroachdb
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.person = $1::UUID

-- statement: sqlite
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.id = ?

-- statement: postgresql, cockroachdb
SELECT exports.person, exports.id, exports.state, exports.requested_at, exports.expires_at
FROM exports
WHERE exports.id = $1::UUID

-- statement: sqlite
UPDATE exports SET state=?, expires_at=? WHERE exports.id = ? AND exports.state = ?

-- statement: postgresql
UPDATE exports SET state=$1::VARCHAR COLLATE "C", expires_at=$2::BIGINT WHERE exports.id = $3::UUID AND exports.state = $4::VARCHAR COLLATE "C"

-- statement: cockroachdb
UPDATE exports SET state=$1::VARCHAR, expires_at=$2::BIGINT WHERE exports.id = $3::UUID AND exports.state = $4::VARCHAR

-- statement: sqlite
DELETE FROM exports WHERE exports.id = ?

-- statement: postgresql, cockroachdb
DELETE FROM exports WHERE exports.id = $1::UUID

-- statement: sqlite
INSERT INTO erasures (id, person, address, pseudonym, asked_by, requested_at, finished_at, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO erasures (id, person, address, pseudonym, asked_by, requested_at, finished_at, counts) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::VARCHAR COLLATE "C", $6::BIGINT, $7::BIGINT, $8::VARCHAR)

-- statement: cockroachdb
INSERT INTO erasures (id, person, address, pseudonym, asked_by, requested_at, finished_at, counts) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::VARCHAR, $5::VARCHAR, $6::BIGINT, $7::BIGINT, $8::VARCHAR)

-- statement: sqlite
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures
WHERE erasures.id = ?

-- statement: postgresql, cockroachdb
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures
WHERE erasures.id = $1::UUID

-- statement: sqlite
UPDATE erasures SET id=?, person=?, address=?, pseudonym=?, asked_by=?, requested_at=?, finished_at=?, counts=? WHERE erasures.id = ?

-- statement: postgresql
UPDATE erasures SET id=$1::UUID, person=$2::UUID, address=$3::VARCHAR COLLATE "C", pseudonym=$4::VARCHAR COLLATE "C", asked_by=$5::VARCHAR COLLATE "C", requested_at=$6::BIGINT, finished_at=$7::BIGINT, counts=$8::VARCHAR WHERE erasures.id = $9::UUID

-- statement: cockroachdb
UPDATE erasures SET id=$1::UUID, person=$2::UUID, address=$3::VARCHAR, pseudonym=$4::VARCHAR, asked_by=$5::VARCHAR, requested_at=$6::BIGINT, finished_at=$7::BIGINT, counts=$8::VARCHAR WHERE erasures.id = $9::UUID

-- statement: sqlite
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures ORDER BY erasures.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures ORDER BY erasures.id DESC
 LIMIT $1::INTEGER

-- statement: sqlite
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures
WHERE erasures.pseudonym = ? AND erasures.id < ? ORDER BY erasures.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures
WHERE erasures.pseudonym = $1::VARCHAR COLLATE "C" AND erasures.id < $2::UUID ORDER BY erasures.id DESC
 LIMIT $3::INTEGER

-- statement: cockroachdb
SELECT erasures.id, erasures.person, erasures.address, erasures.pseudonym, erasures.asked_by, erasures.requested_at, erasures.finished_at, erasures.counts
FROM erasures
WHERE erasures.pseudonym = $1::VARCHAR AND erasures.id < $2::UUID ORDER BY erasures.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT erasures.id
FROM erasures
WHERE erasures.finished_at IS NULL AND erasures.requested_at <= ? ORDER BY erasures.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT erasures.id
FROM erasures
WHERE erasures.finished_at IS NULL AND erasures.requested_at <= $1::BIGINT ORDER BY erasures.id
 LIMIT $2::INTEGER

