-- ADVANCE: sqlite
INSERT INTO streams (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = (streams.last + excluded.last) RETURNING name, last

-- ADVANCE: postgresql
INSERT INTO streams (name, last) VALUES ($1::VARCHAR COLLATE "C", $2::BIGINT) ON CONFLICT (name) DO UPDATE SET last = (streams.last + excluded.last) RETURNING streams.name, streams.last

-- ADVANCE: cockroachdb
INSERT INTO streams (name, last) VALUES ($1::VARCHAR, $2::BIGINT) ON CONFLICT (name) DO UPDATE SET last = (streams.last + excluded.last) RETURNING streams.name, streams.last

-- TAKE_BACK: sqlite
UPDATE streams SET last=? WHERE streams.name = ?

-- TAKE_BACK: postgresql
UPDATE streams SET last=$1::BIGINT WHERE streams.name = $2::VARCHAR COLLATE "C"

-- TAKE_BACK: cockroachdb
UPDATE streams SET last=$1::BIGINT WHERE streams.name = $2::VARCHAR

-- KNOWN_KEYS: sqlite
SELECT stream_records.stream, stream_records."key", stream_records.position
FROM stream_records
WHERE (stream_records.stream, stream_records."key") IN (__[POSTCOMPILE_keys])

-- KNOWN_KEYS: postgresql, cockroachdb
SELECT stream_records.stream, stream_records.key, stream_records.position
FROM stream_records
WHERE (stream_records.stream, stream_records.key) IN (__[POSTCOMPILE_keys])

-- ADD: sqlite
INSERT INTO stream_records (stream, position, "key", payload, appended_at) VALUES (?, ?, ?, ?, ?)

-- ADD: postgresql
INSERT INTO stream_records (stream, position, key, payload, appended_at) VALUES ($1::VARCHAR COLLATE "C", $2::BIGINT, $3::VARCHAR COLLATE "C", $4::BYTEA, $5::BIGINT)

-- ADD: cockroachdb
INSERT INTO stream_records (stream, position, key, payload, appended_at) VALUES ($1::VARCHAR, $2::BIGINT, $3::VARCHAR, $4::BYTEA, $5::BIGINT)

-- READ: sqlite
SELECT stream_records.stream, stream_records.position, stream_records."key", stream_records.payload, stream_records.appended_at
FROM stream_records
WHERE stream_records.stream = ? AND stream_records.position > ? ORDER BY stream_records.position
 LIMIT ? OFFSET ?

-- READ: postgresql
SELECT stream_records.stream, stream_records.position, stream_records.key, stream_records.payload, stream_records.appended_at
FROM stream_records
WHERE stream_records.stream = $1::VARCHAR COLLATE "C" AND stream_records.position > $2::BIGINT ORDER BY stream_records.position
 LIMIT $3

-- READ: cockroachdb
SELECT stream_records.stream, stream_records.position, stream_records.key, stream_records.payload, stream_records.appended_at
FROM stream_records
WHERE stream_records.stream = $1::VARCHAR AND stream_records.position > $2::BIGINT ORDER BY stream_records.position
 LIMIT $3

-- LAST: sqlite
SELECT streams.last
FROM streams
WHERE streams.name = ?

-- LAST: postgresql
SELECT streams.last
FROM streams
WHERE streams.name = $1::VARCHAR COLLATE "C"

-- LAST: cockroachdb
SELECT streams.last
FROM streams
WHERE streams.name = $1::VARCHAR

-- TRIM: sqlite
DELETE FROM stream_records WHERE stream_records.stream = ? AND stream_records.position <= ?

-- TRIM: postgresql
DELETE FROM stream_records WHERE stream_records.stream = $1::VARCHAR COLLATE "C" AND stream_records.position <= $2::BIGINT

-- TRIM: cockroachdb
DELETE FROM stream_records WHERE stream_records.stream = $1::VARCHAR AND stream_records.position <= $2::BIGINT

