-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts ORDER BY accounts.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts ORDER BY accounts.id DESC
 LIMIT $1::INTEGER

-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.state = ? AND accounts.roles = ? AND accounts.id < ? ORDER BY accounts.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.state = $1::VARCHAR COLLATE "C" AND accounts.roles = $2::VARCHAR COLLATE "C" AND accounts.id < $3::UUID ORDER BY accounts.id DESC
 LIMIT $4::INTEGER

-- statement: cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.state = $1::VARCHAR AND accounts.roles = $2::VARCHAR AND accounts.id < $3::UUID ORDER BY accounts.id DESC
 LIMIT $4::INTEGER

-- statement: sqlite
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= ? AND search_words.word < ? AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= ? AND earlier.word < search_words.word)) ORDER BY search_words.word, search_words.account
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR COLLATE "C" AND search_words.word < $2::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR COLLATE "C" AND earlier.word < search_words.word)) ORDER BY search_words.word, search_words.account
 LIMIT $4::INTEGER

-- statement: cockroachdb
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR AND search_words.word < $2::VARCHAR AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR AND earlier.word < search_words.word)) ORDER BY search_words.word, search_words.account
 LIMIT $4::INTEGER

-- statement: sqlite
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= ? AND search_words.word < ? AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= ? AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= ? AND further_0.word < ?)) AND search_words.word >= ? AND (search_words.word > ? OR search_words.account > ?) AND (accounts.state || ?) = ? ORDER BY search_words.word, search_words.account
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR COLLATE "C" AND search_words.word < $2::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR COLLATE "C" AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= $4::VARCHAR COLLATE "C" AND further_0.word < $5::VARCHAR COLLATE "C")) AND search_words.word >= $6::VARCHAR COLLATE "C" AND (search_words.word > $7::VARCHAR COLLATE "C" OR search_words.account > $8::UUID) AND (accounts.state || $9::VARCHAR COLLATE "C") = $10::VARCHAR COLLATE "C" ORDER BY search_words.word, search_words.account
 LIMIT $11::INTEGER

-- statement: cockroachdb
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR AND search_words.word < $2::VARCHAR AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= $4::VARCHAR AND further_0.word < $5::VARCHAR)) AND search_words.word >= $6::VARCHAR AND (search_words.word > $7::VARCHAR OR search_words.account > $8::UUID) AND (accounts.state || $9::VARCHAR) = $10::VARCHAR ORDER BY search_words.word, search_words.account
 LIMIT $11::INTEGER

-- statement: sqlite
SELECT accounts.id
FROM accounts
WHERE accounts.roles = ? AND accounts.state = ? AND accounts.id != ?
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT accounts.id
FROM accounts
WHERE accounts.roles = $1::VARCHAR COLLATE "C" AND accounts.state = $2::VARCHAR COLLATE "C" AND accounts.id != $3::UUID
 LIMIT $4::INTEGER

-- statement: cockroachdb
SELECT accounts.id
FROM accounts
WHERE accounts.roles = $1::VARCHAR AND accounts.state = $2::VARCHAR AND accounts.id != $3::UUID
 LIMIT $4::INTEGER

-- statement: sqlite
SELECT sessions.account, count(*) AS sessions, max(sessions.used_at) AS used_at
FROM sessions
WHERE sessions.account IN (__[POSTCOMPILE_account_1]) AND sessions.expires_at > ? GROUP BY sessions.account

-- statement: postgresql, cockroachdb
SELECT sessions.account, count(*) AS sessions, max(sessions.used_at) AS used_at
FROM sessions
WHERE sessions.account IN (__[POSTCOMPILE_account_1]) AND sessions.expires_at > $1::BIGINT GROUP BY sessions.account

-- statement: sqlite, postgresql, cockroachdb
SELECT second_factors.account
FROM second_factors
WHERE second_factors.account IN (__[POSTCOMPILE_account_1]) AND second_factors.confirmed_at IS NOT NULL

-- statement: sqlite, postgresql, cockroachdb
SELECT accounts.state, count(*) AS count_1
FROM accounts GROUP BY accounts.state

-- statement: sqlite
SELECT (SELECT count(*) AS count_1
FROM accounts
WHERE accounts.roles = ? AND accounts.state = ?) AS admins, (SELECT count(*) AS count_2
FROM accounts
WHERE accounts.id >= ?) AS joined, (SELECT count(*) AS count_3
FROM sessions
WHERE sessions.expires_at > ?) AS sessions, (SELECT count(*) AS count_4
FROM api_keys) AS api_keys

-- statement: postgresql
SELECT (SELECT count(*) AS count_1
FROM accounts
WHERE accounts.roles = $1::VARCHAR COLLATE "C" AND accounts.state = $2::VARCHAR COLLATE "C") AS admins, (SELECT count(*) AS count_2
FROM accounts
WHERE accounts.id >= $3::UUID) AS joined, (SELECT count(*) AS count_3
FROM sessions
WHERE sessions.expires_at > $4::BIGINT) AS sessions, (SELECT count(*) AS count_4
FROM api_keys) AS api_keys

-- statement: cockroachdb
SELECT (SELECT count(*) AS count_1
FROM accounts
WHERE accounts.roles = $1::VARCHAR AND accounts.state = $2::VARCHAR) AS admins, (SELECT count(*) AS count_2
FROM accounts
WHERE accounts.id >= $3::UUID) AS joined, (SELECT count(*) AS count_3
FROM sessions
WHERE sessions.expires_at > $4::BIGINT) AS sessions, (SELECT count(*) AS count_4
FROM api_keys) AS api_keys

-- statement: sqlite
INSERT INTO audit_log (id, actor, action, subject, details) VALUES (?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO audit_log (id, actor, action, subject, details) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::VARCHAR)

-- statement: cockroachdb
INSERT INTO audit_log (id, actor, action, subject, details) VALUES ($1::UUID, $2::VARCHAR, $3::VARCHAR, $4::VARCHAR, $5::VARCHAR)

-- statement: sqlite
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log ORDER BY audit_log.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log ORDER BY audit_log.id DESC
 LIMIT $1::INTEGER

-- statement: sqlite
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = ? AND audit_log.action = ? AND audit_log.subject = ? AND audit_log.id >= ? AND audit_log.id < ? ORDER BY audit_log.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = $1::VARCHAR COLLATE "C" AND audit_log.action = $2::VARCHAR COLLATE "C" AND audit_log.subject = $3::VARCHAR COLLATE "C" AND audit_log.id >= $4::UUID AND audit_log.id < $5::UUID ORDER BY audit_log.id DESC
 LIMIT $6::INTEGER

-- statement: cockroachdb
SELECT audit_log.id, audit_log.actor, audit_log.action, audit_log.subject, audit_log.details
FROM audit_log
WHERE audit_log.actor = $1::VARCHAR AND audit_log.action = $2::VARCHAR AND audit_log.subject = $3::VARCHAR AND audit_log.id >= $4::UUID AND audit_log.id < $5::UUID ORDER BY audit_log.id DESC
 LIMIT $6::INTEGER

-- statement: sqlite
INSERT INTO api_keys (id, name, digest, scopes, rate, made_by, created_at, expires_at, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO api_keys (id, name, digest, scopes, rate, made_by, created_at, expires_at, last_used_at) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BYTEA, $4::VARCHAR COLLATE "C", $5::BIGINT, $6::VARCHAR COLLATE "C", $7::BIGINT, $8::BIGINT, $9::BIGINT)

-- statement: cockroachdb
INSERT INTO api_keys (id, name, digest, scopes, rate, made_by, created_at, expires_at, last_used_at) VALUES ($1::UUID, $2::VARCHAR, $3::BYTEA, $4::VARCHAR, $5::BIGINT, $6::VARCHAR, $7::BIGINT, $8::BIGINT, $9::BIGINT)

-- statement: sqlite
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.id = ?

-- statement: postgresql, cockroachdb
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.id = $1::UUID

-- statement: sqlite
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys ORDER BY api_keys.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys ORDER BY api_keys.id DESC
 LIMIT $1::INTEGER

-- statement: sqlite
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.id < ? ORDER BY api_keys.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT api_keys.id, api_keys.name, api_keys.digest, api_keys.scopes, api_keys.rate, api_keys.made_by, api_keys.created_at, api_keys.expires_at, api_keys.last_used_at
FROM api_keys
WHERE api_keys.id < $1::UUID ORDER BY api_keys.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite
UPDATE api_keys SET last_used_at=? WHERE api_keys.id = ? AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at <= ?)

-- statement: postgresql, cockroachdb
UPDATE api_keys SET last_used_at=$1::BIGINT WHERE api_keys.id = $2::UUID AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at <= $3::BIGINT)

-- statement: sqlite
DELETE FROM api_keys WHERE api_keys.id = ?

-- statement: postgresql, cockroachdb
DELETE FROM api_keys WHERE api_keys.id = $1::UUID

-- statement: sqlite
INSERT INTO subscriptions (account, "plan", starts_at, ends_at, limits) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET account = ?, "plan" = ?, starts_at = ?, ends_at = ?, limits = ?

-- statement: postgresql
INSERT INTO subscriptions (account, plan, starts_at, ends_at, limits) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BIGINT, $4::BIGINT, $5::VARCHAR) ON CONFLICT (account) DO UPDATE SET account = $6::UUID, plan = $7::VARCHAR COLLATE "C", starts_at = $8::BIGINT, ends_at = $9::BIGINT, limits = $10::VARCHAR

-- statement: cockroachdb
INSERT INTO subscriptions (account, plan, starts_at, ends_at, limits) VALUES ($1::UUID, $2::VARCHAR, $3::BIGINT, $4::BIGINT, $5::VARCHAR) ON CONFLICT (account) DO UPDATE SET account = $6::UUID, plan = $7::VARCHAR, starts_at = $8::BIGINT, ends_at = $9::BIGINT, limits = $10::VARCHAR

-- statement: sqlite
SELECT subscriptions.account, subscriptions."plan", subscriptions.starts_at, subscriptions.ends_at, subscriptions.limits
FROM subscriptions
WHERE subscriptions.account IN (__[POSTCOMPILE_account_1])

-- statement: postgresql, cockroachdb
SELECT subscriptions.account, subscriptions.plan, subscriptions.starts_at, subscriptions.ends_at, subscriptions.limits
FROM subscriptions
WHERE subscriptions.account IN (__[POSTCOMPILE_account_1])

