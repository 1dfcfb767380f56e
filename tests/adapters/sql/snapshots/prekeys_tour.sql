-- statement: sqlite
INSERT INTO key_devices (account, device_id, identity_key, signed_key_id, signed_key, signature, created_at, rotated_at, handed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, device_id) DO UPDATE SET identity_key = ?, signed_key_id = ?, signed_key = ?, signature = ?, created_at = ?, rotated_at = ?

-- statement: postgresql
INSERT INTO key_devices (account, device_id, identity_key, signed_key_id, signed_key, signature, created_at, rotated_at, handed) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BYTEA, $4::BIGINT, $5::BYTEA, $6::BYTEA, $7::BIGINT, $8::BIGINT, $9::BIGINT) ON CONFLICT (account, device_id) DO UPDATE SET identity_key = $10::BYTEA, signed_key_id = $11::BIGINT, signed_key = $12::BYTEA, signature = $13::BYTEA, created_at = $14::BIGINT, rotated_at = $15::BIGINT

-- statement: cockroachdb
INSERT INTO key_devices (account, device_id, identity_key, signed_key_id, signed_key, signature, created_at, rotated_at, handed) VALUES ($1::UUID, $2::VARCHAR, $3::BYTEA, $4::BIGINT, $5::BYTEA, $6::BYTEA, $7::BIGINT, $8::BIGINT, $9::BIGINT) ON CONFLICT (account, device_id) DO UPDATE SET identity_key = $10::BYTEA, signed_key_id = $11::BIGINT, signed_key = $12::BYTEA, signature = $13::BYTEA, created_at = $14::BIGINT, rotated_at = $15::BIGINT

-- statement: sqlite
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given
FROM key_devices
WHERE key_devices.account = ? AND key_devices.device_id = ?

-- statement: postgresql
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given
FROM key_devices
WHERE key_devices.account = $1::UUID AND key_devices.device_id = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given
FROM key_devices
WHERE key_devices.account = $1::UUID AND key_devices.device_id = $2::VARCHAR

-- statement: sqlite
SELECT key_devices.handed, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = ? AND one_time_keys.device_id = ?), ?) AS latest
FROM key_devices
WHERE key_devices.account = ? AND key_devices.device_id = ?

-- statement: postgresql
SELECT key_devices.handed, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR COLLATE "C"), $3::INTEGER) AS latest
FROM key_devices
WHERE key_devices.account = $4::UUID AND key_devices.device_id = $5::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT key_devices.handed, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR), $3::INTEGER) AS latest
FROM key_devices
WHERE key_devices.account = $4::UUID AND key_devices.device_id = $5::VARCHAR

-- statement: sqlite
SELECT one_time_keys.key_id, one_time_keys.public_key
FROM one_time_keys
WHERE one_time_keys.account = ? AND one_time_keys.device_id = ? AND (one_time_keys.key_id IN (__[POSTCOMPILE_key_id_1]) OR one_time_keys.public_key IN (__[POSTCOMPILE_public_key_1]))

-- statement: postgresql
SELECT one_time_keys.key_id, one_time_keys.public_key
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR COLLATE "C" AND (one_time_keys.key_id IN (__[POSTCOMPILE_key_id_1]) OR one_time_keys.public_key IN (__[POSTCOMPILE_public_key_1]))

-- statement: cockroachdb
SELECT one_time_keys.key_id, one_time_keys.public_key
FROM one_time_keys
WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR AND (one_time_keys.key_id IN (__[POSTCOMPILE_key_id_1]) OR one_time_keys.public_key IN (__[POSTCOMPILE_public_key_1]))

-- statement: sqlite
INSERT INTO one_time_keys (account, device_id, key_id, public_key, position) VALUES (?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO one_time_keys (account, device_id, key_id, public_key, position) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BIGINT, $4::BYTEA, $5::BIGINT)

-- statement: cockroachdb
INSERT INTO one_time_keys (account, device_id, key_id, public_key, position) VALUES ($1::UUID, $2::VARCHAR, $3::BIGINT, $4::BYTEA, $5::BIGINT)

-- statement: sqlite
DELETE FROM one_time_keys WHERE one_time_keys.account = ? AND one_time_keys.device_id = ? AND one_time_keys.position <= ?

-- statement: postgresql
DELETE FROM one_time_keys WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR COLLATE "C" AND one_time_keys.position <= $3::BIGINT

-- statement: cockroachdb
DELETE FROM one_time_keys WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR AND one_time_keys.position <= $3::BIGINT

-- statement: sqlite
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = ? AND retired_signed_keys.device_id = ? AND retired_signed_keys.retired_at <= ?

-- statement: postgresql
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR COLLATE "C" AND retired_signed_keys.retired_at <= $3::BIGINT

-- statement: cockroachdb
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR AND retired_signed_keys.retired_at <= $3::BIGINT

-- statement: sqlite
INSERT INTO retired_signed_keys (account, device_id, key_id, public_key, retired_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO retired_signed_keys (account, device_id, key_id, public_key, retired_at) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::BIGINT, $4::BYTEA, $5::BIGINT) ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO retired_signed_keys (account, device_id, key_id, public_key, retired_at) VALUES ($1::UUID, $2::VARCHAR, $3::BIGINT, $4::BYTEA, $5::BIGINT) ON CONFLICT DO NOTHING

-- statement: sqlite
SELECT retired_signed_keys.key_id, retired_signed_keys.public_key, retired_signed_keys.retired_at
FROM retired_signed_keys
WHERE retired_signed_keys.account = ? AND retired_signed_keys.device_id = ? AND retired_signed_keys.retired_at > ? ORDER BY retired_signed_keys.retired_at DESC, retired_signed_keys.key_id DESC

-- statement: postgresql
SELECT retired_signed_keys.key_id, retired_signed_keys.public_key, retired_signed_keys.retired_at
FROM retired_signed_keys
WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR COLLATE "C" AND retired_signed_keys.retired_at > $3::BIGINT ORDER BY retired_signed_keys.retired_at DESC, retired_signed_keys.key_id DESC

-- statement: cockroachdb
SELECT retired_signed_keys.key_id, retired_signed_keys.public_key, retired_signed_keys.retired_at
FROM retired_signed_keys
WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR AND retired_signed_keys.retired_at > $3::BIGINT ORDER BY retired_signed_keys.retired_at DESC, retired_signed_keys.key_id DESC

-- statement: sqlite
INSERT INTO key_changes (account, id, device_id, kind, fingerprint) VALUES (?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO key_changes (account, id, device_id, kind, fingerprint) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::VARCHAR COLLATE "C")

-- statement: cockroachdb
INSERT INTO key_changes (account, id, device_id, kind, fingerprint) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::VARCHAR, $5::VARCHAR)

-- statement: sqlite
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = ? AND key_changes.id = ?

-- statement: postgresql, cockroachdb
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID AND key_changes.id = $2::UUID

-- statement: sqlite
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = ? AND key_changes.device_id = ? ORDER BY key_changes.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID AND key_changes.device_id = $2::VARCHAR COLLATE "C" ORDER BY key_changes.id DESC
 LIMIT $3::INTEGER

-- statement: cockroachdb
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID AND key_changes.device_id = $2::VARCHAR ORDER BY key_changes.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT count(*) AS count_1
FROM key_changes
WHERE key_changes.account = ? AND key_changes.id >= ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM key_changes
WHERE key_changes.account = $1::UUID AND key_changes.id >= $2::UUID

-- statement: sqlite
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = ? ORDER BY key_changes.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID ORDER BY key_changes.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = ? AND key_changes.id < ? ORDER BY key_changes.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT key_changes.account, key_changes.id, key_changes.device_id, key_changes.kind, key_changes.fingerprint
FROM key_changes
WHERE key_changes.account = $1::UUID AND key_changes.id < $2::UUID ORDER BY key_changes.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
DELETE FROM key_devices WHERE key_devices.account = ? AND key_devices.device_id = ?

-- statement: postgresql
DELETE FROM key_devices WHERE key_devices.account = $1::UUID AND key_devices.device_id = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
DELETE FROM key_devices WHERE key_devices.account = $1::UUID AND key_devices.device_id = $2::VARCHAR

-- statement: sqlite
DELETE FROM one_time_keys WHERE one_time_keys.account = ? AND one_time_keys.device_id = ?

-- statement: postgresql
DELETE FROM one_time_keys WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
DELETE FROM one_time_keys WHERE one_time_keys.account = $1::UUID AND one_time_keys.device_id = $2::VARCHAR

-- statement: sqlite
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = ? AND retired_signed_keys.device_id = ?

-- statement: postgresql
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
DELETE FROM retired_signed_keys WHERE retired_signed_keys.account = $1::UUID AND retired_signed_keys.device_id = $2::VARCHAR

