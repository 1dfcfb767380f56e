-- BUNDLES: sqlite
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, (SELECT count(*) AS count_1
FROM one_time_keys AS waiting
WHERE waiting.account = key_devices.account AND waiting.device_id = key_devices.device_id AND waiting.handed_at IS NULL) AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id
WHERE accounts.id = ? AND accounts.state != ? ORDER BY key_devices.device_id

-- BUNDLES: postgresql
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, (SELECT count(*) AS count_1
FROM one_time_keys AS waiting
WHERE waiting.account = key_devices.account AND waiting.device_id = key_devices.device_id AND waiting.handed_at IS NULL) AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id
WHERE accounts.id = $1::UUID AND accounts.state != $2::VARCHAR COLLATE "C" ORDER BY key_devices.device_id

-- BUNDLES: cockroachdb
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, (SELECT count(*) AS count_1
FROM one_time_keys AS waiting
WHERE waiting.account = key_devices.account AND waiting.device_id = key_devices.device_id AND waiting.handed_at IS NULL) AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id
WHERE accounts.id = $1::UUID AND accounts.state != $2::VARCHAR ORDER BY key_devices.device_id

-- LOCK: sqlite
SELECT key_devices.device_id
FROM key_devices
WHERE key_devices.account = ? ORDER BY key_devices.device_id

-- LOCK: postgresql, cockroachdb
SELECT key_devices.device_id
FROM key_devices
WHERE key_devices.account = $1::UUID ORDER BY key_devices.device_id FOR UPDATE

-- TAKE: sqlite
UPDATE one_time_keys SET handed_at=? WHERE one_time_keys.account = ? AND (one_time_keys.device_id, one_time_keys.key_id) IN (SELECT key_devices.device_id, (SELECT min(waiting.key_id) AS min_1
FROM one_time_keys AS waiting
WHERE waiting.account = key_devices.account AND waiting.device_id = key_devices.device_id AND waiting.handed_at IS NULL) AS anon_1
FROM key_devices
WHERE key_devices.account = ?) AND one_time_keys.handed_at IS NULL RETURNING device_id, key_id, public_key

-- TAKE: postgresql, cockroachdb
UPDATE one_time_keys SET handed_at=$1::BIGINT WHERE one_time_keys.account = $2::UUID AND (one_time_keys.device_id, one_time_keys.key_id) IN (SELECT key_devices.device_id, (SELECT min(waiting.key_id) AS min_1
FROM one_time_keys AS waiting
WHERE waiting.account = key_devices.account AND waiting.device_id = key_devices.device_id AND waiting.handed_at IS NULL) AS anon_1
FROM key_devices
WHERE key_devices.account = $2::UUID) AND one_time_keys.handed_at IS NULL RETURNING one_time_keys.device_id, one_time_keys.key_id, one_time_keys.public_key

