-- statement: sqlite
INSERT INTO messages (conversation, id, "key", version, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO messages (conversation, id, key, version, body) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::BIGINT, $5::BYTEA) ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO messages (conversation, id, key, version, body) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::BIGINT, $5::BYTEA) ON CONFLICT DO NOTHING

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? AND messages."key" = ?

-- statement: postgresql
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID AND messages.key = $2::VARCHAR COLLATE "C"

-- statement: cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID AND messages.key = $2::VARCHAR

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? AND messages.id = ?

-- statement: postgresql, cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID AND messages.id = $2::UUID

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? ORDER BY messages.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID ORDER BY messages.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? AND messages.id < ? ORDER BY messages.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID AND messages.id < $2::UUID ORDER BY messages.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? ORDER BY messages.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID ORDER BY messages.id
 LIMIT $2::INTEGER

-- statement: sqlite
SELECT messages.conversation, messages.id, messages."key", messages.body, messages.version
FROM messages
WHERE messages.conversation = ? AND messages.id > ? ORDER BY messages.id
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT messages.conversation, messages.id, messages.key, messages.body, messages.version
FROM messages
WHERE messages.conversation = $1::UUID AND messages.id > $2::UUID ORDER BY messages.id
 LIMIT $3::INTEGER

-- statement: sqlite
UPDATE messages SET version=(messages.version + ?), body=? WHERE messages.conversation = ? AND messages.id = ? AND messages.version = ? RETURNING "key"

-- statement: postgresql, cockroachdb
UPDATE messages SET version=(messages.version + $1::BIGINT), body=$2::BYTEA WHERE messages.conversation = $3::UUID AND messages.id = $4::UUID AND messages.version = $5::BIGINT RETURNING messages.key

-- statement: sqlite
DELETE FROM messages WHERE messages.conversation = ? AND messages.id IN (SELECT messages.id
FROM messages
WHERE messages.conversation = ? AND messages.id < ? ORDER BY messages.id
 LIMIT ? OFFSET ?)

-- statement: postgresql, cockroachdb
DELETE FROM messages WHERE messages.conversation = $1::UUID AND messages.id IN (SELECT messages.id
FROM messages
WHERE messages.conversation = $2::UUID AND messages.id < $3::UUID ORDER BY messages.id
 LIMIT $4::INTEGER)

