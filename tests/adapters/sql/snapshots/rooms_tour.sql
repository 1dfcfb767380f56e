-- statement: sqlite
INSERT INTO rooms (id, owner, name, mode, max_participants, empty_timeout, waiting_room, metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- statement: postgresql
INSERT INTO rooms (id, owner, name, mode, max_participants, empty_timeout, waiting_room, metadata, created_at) VALUES ($1::UUID, $2::UUID, $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::BIGINT, $6::BIGINT, $7::BOOLEAN, $8::VARCHAR COLLATE "C", $9::BIGINT)

-- statement: cockroachdb
INSERT INTO rooms (id, owner, name, mode, max_participants, empty_timeout, waiting_room, metadata, created_at) VALUES ($1::UUID, $2::UUID, $3::VARCHAR, $4::VARCHAR, $5::BIGINT, $6::BIGINT, $7::BOOLEAN, $8::VARCHAR, $9::BIGINT)

-- statement: sqlite
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.id = ?

-- statement: postgresql, cockroachdb
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.id = $1::UUID

-- statement: sqlite
SELECT count(*) AS count_1
FROM rooms
WHERE rooms.owner = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM rooms
WHERE rooms.owner = $1::UUID

-- statement: sqlite
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner = ? ORDER BY rooms.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner = $1::UUID ORDER BY rooms.id DESC
 LIMIT $2::INTEGER

-- statement: sqlite, postgresql, cockroachdb
SELECT count(*) AS count_1
FROM rooms
WHERE rooms.owner IS NULL

-- statement: sqlite
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner IS NULL ORDER BY rooms.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner IS NULL ORDER BY rooms.id DESC
 LIMIT $1::INTEGER

-- statement: sqlite
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner = ? AND rooms.id < ? ORDER BY rooms.id DESC
 LIMIT ? OFFSET ?

-- statement: postgresql, cockroachdb
SELECT rooms.id, rooms.owner, rooms.name, rooms.mode, rooms.max_participants, rooms.empty_timeout, rooms.waiting_room, rooms.metadata, rooms.created_at
FROM rooms
WHERE rooms.owner = $1::UUID AND rooms.id < $2::UUID ORDER BY rooms.id DESC
 LIMIT $3::INTEGER

-- statement: sqlite
DELETE FROM rooms WHERE rooms.id = ?

-- statement: postgresql, cockroachdb
DELETE FROM rooms WHERE rooms.id = $1::UUID

