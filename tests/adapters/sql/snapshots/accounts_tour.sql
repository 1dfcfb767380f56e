-- statement: sqlite
INSERT INTO accounts (id, email, username, skeleton, display_name, password_hash, created_at, password_changed_at, email_verified_at, roles, state, searchable, avatar, status_text, visibility) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO accounts (id, email, username, skeleton, display_name, password_hash, created_at, password_changed_at, email_verified_at, roles, state, searchable, avatar, status_text, visibility) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::VARCHAR COLLATE "C", $6::VARCHAR COLLATE "C", $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::VARCHAR COLLATE "C", $11::VARCHAR COLLATE "C", $12::BOOLEAN, $13::VARCHAR COLLATE "C", $14::VARCHAR COLLATE "C", $15::VARCHAR) ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO accounts (id, email, username, skeleton, display_name, password_hash, created_at, password_changed_at, email_verified_at, roles, state, searchable, avatar, status_text, visibility) VALUES ($1::UUID, $2::VARCHAR, $3::VARCHAR, $4::VARCHAR, $5::VARCHAR, $6::VARCHAR, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::VARCHAR, $11::VARCHAR, $12::BOOLEAN, $13::VARCHAR, $14::VARCHAR, $15::VARCHAR) ON CONFLICT DO NOTHING

-- statement: sqlite
SELECT search_words.word
FROM search_words
WHERE search_words.account = ?

-- statement: postgresql, cockroachdb
SELECT search_words.word
FROM search_words
WHERE search_words.account = $1::UUID

-- statement: sqlite
INSERT INTO search_words (word, account) VALUES (?, ?)

-- statement: postgresql
INSERT INTO search_words (word, account) VALUES ($1::VARCHAR COLLATE "C", $2::UUID)

-- statement: cockroachdb
INSERT INTO search_words (word, account) VALUES ($1::VARCHAR, $2::UUID)

-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.id = ?

-- statement: postgresql, cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.id = $1::UUID

-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = ?

-- statement: postgresql
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = $1::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = $1::VARCHAR

-- statement: sqlite, postgresql, cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.id IN (__[POSTCOMPILE_id_1])

-- statement: sqlite
SELECT accounts.id
FROM accounts
WHERE (accounts.email = ? OR accounts.skeleton = ?) AND accounts.id != ?

-- statement: postgresql
SELECT accounts.id
FROM accounts
WHERE (accounts.email = $1::VARCHAR COLLATE "C" OR accounts.skeleton = $2::VARCHAR COLLATE "C") AND accounts.id != $3::UUID

-- statement: cockroachdb
SELECT accounts.id
FROM accounts
WHERE (accounts.email = $1::VARCHAR OR accounts.skeleton = $2::VARCHAR) AND accounts.id != $3::UUID

-- statement: sqlite
UPDATE accounts SET id=?, email=?, username=?, skeleton=?, display_name=?, password_hash=?, created_at=?, password_changed_at=?, email_verified_at=?, roles=?, state=?, searchable=?, avatar=?, status_text=?, visibility=? WHERE accounts.id = ?

-- statement: postgresql
UPDATE accounts SET id=$1::UUID, email=$2::VARCHAR COLLATE "C", username=$3::VARCHAR COLLATE "C", skeleton=$4::VARCHAR COLLATE "C", display_name=$5::VARCHAR COLLATE "C", password_hash=$6::VARCHAR COLLATE "C", created_at=$7::BIGINT, password_changed_at=$8::BIGINT, email_verified_at=$9::BIGINT, roles=$10::VARCHAR COLLATE "C", state=$11::VARCHAR COLLATE "C", searchable=$12::BOOLEAN, avatar=$13::VARCHAR COLLATE "C", status_text=$14::VARCHAR COLLATE "C", visibility=$15::VARCHAR WHERE accounts.id = $16::UUID

-- statement: cockroachdb
UPDATE accounts SET id=$1::UUID, email=$2::VARCHAR, username=$3::VARCHAR, skeleton=$4::VARCHAR, display_name=$5::VARCHAR, password_hash=$6::VARCHAR, created_at=$7::BIGINT, password_changed_at=$8::BIGINT, email_verified_at=$9::BIGINT, roles=$10::VARCHAR, state=$11::VARCHAR, searchable=$12::BOOLEAN, avatar=$13::VARCHAR, status_text=$14::VARCHAR, visibility=$15::VARCHAR WHERE accounts.id = $16::UUID

-- statement: sqlite
INSERT INTO sessions (id, account, refresh_digest, client, created_at, used_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO sessions (id, account, refresh_digest, client, created_at, used_at, expires_at) VALUES ($1::UUID, $2::UUID, $3::BYTEA, $4::VARCHAR COLLATE "C", $5::BIGINT, $6::BIGINT, $7::BIGINT)

-- statement: cockroachdb
INSERT INTO sessions (id, account, refresh_digest, client, created_at, used_at, expires_at) VALUES ($1::UUID, $2::UUID, $3::BYTEA, $4::VARCHAR, $5::BIGINT, $6::BIGINT, $7::BIGINT)

-- statement: sqlite
SELECT sessions.id
FROM sessions
WHERE sessions.account = ? AND sessions.id != ? ORDER BY sessions.used_at DESC, sessions.id DESC

-- statement: postgresql, cockroachdb
SELECT sessions.id
FROM sessions
WHERE sessions.account = $1::UUID AND sessions.id != $2::UUID ORDER BY sessions.used_at DESC, sessions.id DESC

-- statement: sqlite
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.id = ?

-- statement: postgresql, cockroachdb
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.id = $1::UUID

-- statement: sqlite
UPDATE sessions SET id=?, account=?, refresh_digest=?, client=?, created_at=?, used_at=?, expires_at=? WHERE sessions.id = ?

-- statement: postgresql
UPDATE sessions SET id=$1::UUID, account=$2::UUID, refresh_digest=$3::BYTEA, client=$4::VARCHAR COLLATE "C", created_at=$5::BIGINT, used_at=$6::BIGINT, expires_at=$7::BIGINT WHERE sessions.id = $8::UUID

-- statement: cockroachdb
UPDATE sessions SET id=$1::UUID, account=$2::UUID, refresh_digest=$3::BYTEA, client=$4::VARCHAR, created_at=$5::BIGINT, used_at=$6::BIGINT, expires_at=$7::BIGINT WHERE sessions.id = $8::UUID

-- statement: sqlite
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.account = ? ORDER BY sessions.used_at DESC, sessions.id DESC

-- statement: postgresql, cockroachdb
SELECT sessions.id, sessions.account, sessions.refresh_digest, sessions.client, sessions.created_at, sessions.used_at, sessions.expires_at
FROM sessions
WHERE sessions.account = $1::UUID ORDER BY sessions.used_at DESC, sessions.id DESC

-- statement: sqlite
DELETE FROM sessions WHERE sessions.account = ? AND sessions.id IN (__[POSTCOMPILE_id_1]) RETURNING id

-- statement: postgresql, cockroachdb
DELETE FROM sessions WHERE sessions.account = $1::UUID AND sessions.id IN (__[POSTCOMPILE_id_1]) RETURNING sessions.id

-- statement: sqlite
DELETE FROM sessions WHERE sessions.id IN (SELECT sessions.id
FROM sessions
WHERE sessions.expires_at <= ? ORDER BY sessions.expires_at
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM sessions WHERE sessions.id IN (SELECT sessions.id
FROM sessions
WHERE sessions.expires_at <= $1::BIGINT ORDER BY sessions.expires_at
 LIMIT $2::INTEGER)

-- statement: sqlite
DELETE FROM one_time_links WHERE one_time_links.account = ? AND one_time_links.purpose = ?

-- statement: postgresql
DELETE FROM one_time_links WHERE one_time_links.account = $1::UUID AND one_time_links.purpose = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
DELETE FROM one_time_links WHERE one_time_links.account = $1::UUID AND one_time_links.purpose = $2::VARCHAR

-- statement: sqlite
INSERT INTO one_time_links (digest, purpose, account, about, expires_at) VALUES (?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO one_time_links (digest, purpose, account, about, expires_at) VALUES ($1::BYTEA, $2::VARCHAR COLLATE "C", $3::UUID, $4::VARCHAR COLLATE "C", $5::BIGINT)

-- statement: cockroachdb
INSERT INTO one_time_links (digest, purpose, account, about, expires_at) VALUES ($1::BYTEA, $2::VARCHAR, $3::UUID, $4::VARCHAR, $5::BIGINT)

-- statement: sqlite
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.digest = ? AND one_time_links.purpose = ?

-- statement: postgresql
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.digest = $1::BYTEA AND one_time_links.purpose = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.digest = $1::BYTEA AND one_time_links.purpose = $2::VARCHAR

-- statement: sqlite
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.account = ? AND one_time_links.purpose = ?

-- statement: postgresql
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.account = $1::UUID AND one_time_links.purpose = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at
FROM one_time_links
WHERE one_time_links.account = $1::UUID AND one_time_links.purpose = $2::VARCHAR

-- statement: sqlite
DELETE FROM one_time_links WHERE one_time_links.digest = ? AND one_time_links.purpose = ? RETURNING digest, purpose, account, about, expires_at

-- statement: postgresql
DELETE FROM one_time_links WHERE one_time_links.digest = $1::BYTEA AND one_time_links.purpose = $2::VARCHAR COLLATE "C" RETURNING one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at

-- statement: cockroachdb
DELETE FROM one_time_links WHERE one_time_links.digest = $1::BYTEA AND one_time_links.purpose = $2::VARCHAR RETURNING one_time_links.digest, one_time_links.purpose, one_time_links.account, one_time_links.about, one_time_links.expires_at

-- statement: sqlite
DELETE FROM one_time_links WHERE one_time_links.account = ? AND one_time_links.purpose IN (__[POSTCOMPILE_purpose_1])

-- statement: postgresql, cockroachdb
DELETE FROM one_time_links WHERE one_time_links.account = $1::UUID AND one_time_links.purpose IN (__[POSTCOMPILE_purpose_1])

-- statement: sqlite
DELETE FROM one_time_links WHERE one_time_links.digest IN (SELECT one_time_links.digest
FROM one_time_links
WHERE one_time_links.expires_at <= ? ORDER BY one_time_links.expires_at
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM one_time_links WHERE one_time_links.digest IN (SELECT one_time_links.digest
FROM one_time_links
WHERE one_time_links.expires_at <= $1::BIGINT ORDER BY one_time_links.expires_at
 LIMIT $2::INTEGER)

