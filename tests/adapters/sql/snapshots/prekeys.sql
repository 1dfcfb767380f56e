-- TAKE: sqlite
UPDATE key_devices SET handed=coalesce((SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + ?), key_devices.handed), given=(SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + ?) WHERE key_devices.account = ? AND key_devices.device_id IN (SELECT mine.device_id
FROM key_devices AS mine
WHERE mine.account = ? AND (EXISTS (SELECT *
FROM accounts
WHERE accounts.id = mine.account AND accounts.state = ?)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = mine.account OR block.blocker = mine.account AND block.blocked = ?)) ORDER BY mine.device_id) RETURNING account, device_id, identity_key, signed_key_id, signed_key, signature, created_at, rotated_at, handed, given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE account = key_devices.account AND device_id = key_devices.device_id), ?) - handed AS remaining, (SELECT one_time_keys.key_id
FROM one_time_keys
WHERE account = key_devices.account AND device_id = key_devices.device_id AND position = key_devices.given) AS key_id, (SELECT one_time_keys.public_key
FROM one_time_keys
WHERE account = key_devices.account AND device_id = key_devices.device_id AND position = key_devices.given) AS public_key

-- TAKE: postgresql
UPDATE key_devices SET handed=coalesce((SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + $1::BIGINT), key_devices.handed), given=(SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + $1::BIGINT) WHERE key_devices.account = $2::UUID AND key_devices.device_id IN (SELECT mine.device_id
FROM key_devices AS mine
WHERE mine.account = $2::UUID AND (EXISTS (SELECT *
FROM accounts
WHERE accounts.id = mine.account AND accounts.state = $3::VARCHAR COLLATE "C")) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $4::UUID AND block.blocked = mine.account OR block.blocker = mine.account AND block.blocked = $4::UUID)) ORDER BY mine.device_id FOR UPDATE) RETURNING key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id), $5::INTEGER) - key_devices.handed AS remaining, (SELECT one_time_keys.key_id
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.given) AS key_id, (SELECT one_time_keys.public_key
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.given) AS public_key

-- TAKE: cockroachdb
UPDATE key_devices SET handed=coalesce((SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + $1::BIGINT), key_devices.handed), given=(SELECT one_time_keys.position
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.handed + $1::BIGINT) WHERE key_devices.account = $2::UUID AND key_devices.device_id IN (SELECT mine.device_id
FROM key_devices AS mine
WHERE mine.account = $2::UUID AND (EXISTS (SELECT *
FROM accounts
WHERE accounts.id = mine.account AND accounts.state = $3::VARCHAR)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $4::UUID AND block.blocked = mine.account OR block.blocker = mine.account AND block.blocked = $4::UUID)) ORDER BY mine.device_id FOR UPDATE) RETURNING key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id), $5::INTEGER) - key_devices.handed AS remaining, (SELECT one_time_keys.key_id
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.given) AS key_id, (SELECT one_time_keys.public_key
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id AND one_time_keys.position = key_devices.given) AS public_key

-- LOOK: sqlite
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id), ?) - key_devices.handed AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id AND accounts.state = ?
WHERE accounts.id = ? AND accounts.state != ? AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = ?)) ORDER BY key_devices.device_id

-- LOOK: postgresql
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id), $1::INTEGER) - key_devices.handed AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id AND accounts.state = $2::VARCHAR COLLATE "C"
WHERE accounts.id = $3::UUID AND accounts.state != $4::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $5::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $5::UUID)) ORDER BY key_devices.device_id

-- LOOK: cockroachdb
SELECT key_devices.account, key_devices.device_id, key_devices.identity_key, key_devices.signed_key_id, key_devices.signed_key, key_devices.signature, key_devices.created_at, key_devices.rotated_at, key_devices.handed, key_devices.given, coalesce((SELECT max(one_time_keys.position) AS max_1
FROM one_time_keys
WHERE one_time_keys.account = key_devices.account AND one_time_keys.device_id = key_devices.device_id), $1::INTEGER) - key_devices.handed AS remaining
FROM accounts LEFT OUTER JOIN key_devices ON key_devices.account = accounts.id AND accounts.state = $2::VARCHAR
WHERE accounts.id = $3::UUID AND accounts.state != $4::VARCHAR AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $5::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $5::UUID)) ORDER BY key_devices.device_id

-- OWNER: sqlite
SELECT accounts.id
FROM accounts
WHERE accounts.id = ? AND accounts.state = ?

-- OWNER: postgresql
SELECT accounts.id
FROM accounts
WHERE accounts.id = $1::UUID AND accounts.state = $2::VARCHAR COLLATE "C" FOR UPDATE

-- OWNER: cockroachdb
SELECT accounts.id
FROM accounts
WHERE accounts.id = $1::UUID AND accounts.state = $2::VARCHAR FOR UPDATE

