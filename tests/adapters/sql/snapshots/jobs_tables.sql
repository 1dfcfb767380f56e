-- ADD: sqlite
INSERT INTO jobs (id, kind, dedup_key, state, due_at, settled_at, attempts, max_attempts, postponed, claim, error, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dedup_key, kind) DO NOTHING

-- ADD: postgresql
INSERT INTO jobs (id, kind, dedup_key, state, due_at, settled_at, attempts, max_attempts, postponed, claim, error, payload) VALUES ($1::UUID, $2::VARCHAR COLLATE "C", $3::VARCHAR COLLATE "C", $4::VARCHAR COLLATE "C", $5::BIGINT, $6::BIGINT, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::UUID, $11::VARCHAR COLLATE "C", $12::BYTEA) ON CONFLICT (dedup_key, kind) DO NOTHING

-- ADD: cockroachdb
INSERT INTO jobs (id, kind, dedup_key, state, due_at, settled_at, attempts, max_attempts, postponed, claim, error, payload) VALUES ($1::UUID, $2::VARCHAR, $3::VARCHAR, $4::VARCHAR, $5::BIGINT, $6::BIGINT, $7::BIGINT, $8::BIGINT, $9::BIGINT, $10::UUID, $11::VARCHAR, $12::BYTEA) ON CONFLICT (dedup_key, kind) DO NOTHING

-- FIND_KEYS: sqlite, postgresql, cockroachdb
SELECT jobs.id, jobs.kind, jobs.dedup_key
FROM jobs
WHERE jobs.kind IN (__[POSTCOMPILE_kinds]) AND jobs.dedup_key IN (__[POSTCOMPILE_keys])

-- DUE: sqlite
SELECT jobs.id, jobs.kind, jobs.payload, jobs.state, jobs.attempts, jobs.max_attempts, jobs.postponed
FROM jobs
WHERE jobs.due_at <= ? AND jobs.kind IN (__[POSTCOMPILE_kinds]) ORDER BY jobs.due_at, jobs.id
 LIMIT ? OFFSET ?

-- DUE: postgresql, cockroachdb
SELECT jobs.id, jobs.kind, jobs.payload, jobs.state, jobs.attempts, jobs.max_attempts, jobs.postponed
FROM jobs
WHERE jobs.due_at <= $1::BIGINT AND jobs.kind IN (__[POSTCOMPILE_kinds]) ORDER BY jobs.due_at, jobs.id
 LIMIT $2::BIGINT

-- FIND_DUE: sqlite
SELECT jobs.id, jobs.kind, jobs.payload, jobs.state, jobs.attempts, jobs.max_attempts, jobs.postponed
FROM jobs
WHERE jobs.due_at <= ? AND jobs.kind IN (__[POSTCOMPILE_kinds]) ORDER BY jobs.due_at, jobs.id
 LIMIT ? OFFSET ?

-- FIND_DUE: postgresql, cockroachdb
SELECT jobs.id, jobs.kind, jobs.payload, jobs.state, jobs.attempts, jobs.max_attempts, jobs.postponed
FROM jobs
WHERE jobs.due_at <= $1::BIGINT AND jobs.kind IN (__[POSTCOMPILE_kinds]) ORDER BY jobs.due_at, jobs.id
 LIMIT $2::BIGINT FOR UPDATE SKIP LOCKED

-- TAKE: sqlite
UPDATE jobs SET state=?, due_at=?, attempts=(jobs.attempts + ?), claim=? WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= ? RETURNING id, attempts

-- TAKE: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, attempts=(jobs.attempts + $3::BIGINT), claim=$4::UUID WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= $5::BIGINT RETURNING jobs.id, jobs.attempts

-- TAKE: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, attempts=(jobs.attempts + $3::BIGINT), claim=$4::UUID WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= $5::BIGINT RETURNING jobs.id, jobs.attempts

-- BURY: sqlite
UPDATE jobs SET state=?, due_at=?, settled_at=?, claim=?, error=CASE WHEN (jobs.state = ?) THEN ? ELSE jobs.error END WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= ?

-- BURY: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, error=CASE WHEN (jobs.state = $5::VARCHAR COLLATE "C") THEN $6::VARCHAR COLLATE "C" ELSE jobs.error END WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= $3::BIGINT

-- BURY: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, error=CASE WHEN (jobs.state = $5::VARCHAR) THEN $6::VARCHAR ELSE jobs.error END WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.due_at <= $3::BIGINT

-- FIND_HELD: sqlite
SELECT jobs.id, jobs.claim, jobs.dedup_key IS NOT NULL AS keyed
FROM jobs
WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.state = ? ORDER BY jobs.id

-- FIND_HELD: postgresql
SELECT jobs.id, jobs.claim, jobs.dedup_key IS NOT NULL AS keyed
FROM jobs
WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.state = $1::VARCHAR COLLATE "C" ORDER BY jobs.id FOR UPDATE

-- FIND_HELD: cockroachdb
SELECT jobs.id, jobs.claim, jobs.dedup_key IS NOT NULL AS keyed
FROM jobs
WHERE jobs.id IN (__[POSTCOMPILE_jobs]) AND jobs.state = $1::VARCHAR ORDER BY jobs.id FOR UPDATE

-- PROLONG: sqlite
UPDATE jobs SET due_at=? WHERE jobs.id = ? AND jobs.claim = ?

-- PROLONG: postgresql, cockroachdb
UPDATE jobs SET due_at=$1::BIGINT WHERE jobs.id = $2::UUID AND jobs.claim = $3::UUID

-- FORGET: sqlite
DELETE FROM jobs WHERE jobs.id = ? AND jobs.claim = ?

-- FORGET: postgresql, cockroachdb
DELETE FROM jobs WHERE jobs.id = $1::UUID AND jobs.claim = $2::UUID

-- FINISH: sqlite
UPDATE jobs SET state=?, due_at=?, settled_at=?, claim=?, payload=? WHERE jobs.id = ? AND jobs.claim = ?

-- FINISH: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, payload=$5::BYTEA WHERE jobs.id = $6::UUID AND jobs.claim = $7::UUID

-- FINISH: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, payload=$5::BYTEA WHERE jobs.id = $6::UUID AND jobs.claim = $7::UUID

-- RETRY: sqlite
UPDATE jobs SET state=?, due_at=?, claim=?, error=? WHERE jobs.id = ? AND jobs.claim = ?

-- RETRY: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, claim=$3::UUID, error=$4::VARCHAR COLLATE "C" WHERE jobs.id = $5::UUID AND jobs.claim = $6::UUID

-- RETRY: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, claim=$3::UUID, error=$4::VARCHAR WHERE jobs.id = $5::UUID AND jobs.claim = $6::UUID

-- POSTPONE: sqlite
UPDATE jobs SET state=?, due_at=?, attempts=(jobs.attempts - ?), postponed=(jobs.postponed + ?), claim=?, error=? WHERE jobs.id = ? AND jobs.claim = ?

-- POSTPONE: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, attempts=(jobs.attempts - $3::BIGINT), postponed=(jobs.postponed + $4::BIGINT), claim=$5::UUID, error=$6::VARCHAR COLLATE "C" WHERE jobs.id = $7::UUID AND jobs.claim = $8::UUID

-- POSTPONE: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, attempts=(jobs.attempts - $3::BIGINT), postponed=(jobs.postponed + $4::BIGINT), claim=$5::UUID, error=$6::VARCHAR WHERE jobs.id = $7::UUID AND jobs.claim = $8::UUID

-- DIE: sqlite
UPDATE jobs SET state=?, due_at=?, settled_at=?, claim=?, error=? WHERE jobs.id = ? AND jobs.claim = ?

-- DIE: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, error=$5::VARCHAR COLLATE "C" WHERE jobs.id = $6::UUID AND jobs.claim = $7::UUID

-- DIE: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, settled_at=$3::BIGINT, claim=$4::UUID, error=$5::VARCHAR WHERE jobs.id = $6::UUID AND jobs.claim = $7::UUID

-- REVIVE: sqlite
UPDATE jobs SET state=?, due_at=?, settled_at=?, attempts=?, postponed=?, error=? WHERE jobs.id = ? AND jobs.state = ? RETURNING id

-- REVIVE: postgresql
UPDATE jobs SET state=$1::VARCHAR COLLATE "C", due_at=$2::BIGINT, settled_at=$3::BIGINT, attempts=$4::BIGINT, postponed=$5::BIGINT, error=$6::VARCHAR COLLATE "C" WHERE jobs.id = $7::UUID AND jobs.state = $8::VARCHAR COLLATE "C" RETURNING jobs.id

-- REVIVE: cockroachdb
UPDATE jobs SET state=$1::VARCHAR, due_at=$2::BIGINT, settled_at=$3::BIGINT, attempts=$4::BIGINT, postponed=$5::BIGINT, error=$6::VARCHAR WHERE jobs.id = $7::UUID AND jobs.state = $8::VARCHAR RETURNING jobs.id

-- LIST_DEAD: sqlite
SELECT jobs.id, jobs.kind, jobs.payload, jobs.attempts, jobs.error, jobs.settled_at
FROM jobs
WHERE jobs.state = ?

-- LIST_DEAD: postgresql
SELECT jobs.id, jobs.kind, jobs.payload, jobs.attempts, jobs.error, jobs.settled_at
FROM jobs
WHERE jobs.state = $1::VARCHAR COLLATE "C"

-- LIST_DEAD: cockroachdb
SELECT jobs.id, jobs.kind, jobs.payload, jobs.attempts, jobs.error, jobs.settled_at
FROM jobs
WHERE jobs.state = $1::VARCHAR

-- COUNT: sqlite, postgresql, cockroachdb
SELECT jobs.state, count(*) AS number
FROM jobs
WHERE jobs.state IN (__[POSTCOMPILE_state_1]) GROUP BY jobs.state

-- OLDEST_DUE: sqlite
SELECT jobs.due_at
FROM jobs
WHERE jobs.due_at <= ? ORDER BY jobs.due_at, jobs.id
 LIMIT ? OFFSET ?

-- OLDEST_DUE: postgresql, cockroachdb
SELECT jobs.due_at
FROM jobs
WHERE jobs.due_at <= $1::BIGINT ORDER BY jobs.due_at, jobs.id
 LIMIT $2::INTEGER

-- PURGE: sqlite
DELETE FROM jobs WHERE jobs.id IN (SELECT jobs.id
FROM jobs
WHERE jobs.state = ? AND jobs.settled_at <= ? ORDER BY jobs.settled_at, jobs.id
 LIMIT ? OFFSET ?) RETURNING id

-- PURGE: postgresql
DELETE FROM jobs WHERE jobs.id IN (SELECT jobs.id
FROM jobs
WHERE jobs.state = $1::VARCHAR COLLATE "C" AND jobs.settled_at <= $2::BIGINT ORDER BY jobs.settled_at, jobs.id
 LIMIT $3::BIGINT) RETURNING jobs.id

-- PURGE: cockroachdb
DELETE FROM jobs WHERE jobs.id IN (SELECT jobs.id
FROM jobs
WHERE jobs.state = $1::VARCHAR AND jobs.settled_at <= $2::BIGINT ORDER BY jobs.settled_at, jobs.id
 LIMIT $3::BIGINT) RETURNING jobs.id

-- IS_LIVE: sqlite
SELECT jobs.id
FROM jobs
WHERE jobs.id = ? AND jobs.state IN (__[POSTCOMPILE_state_1])

-- IS_LIVE: postgresql, cockroachdb
SELECT jobs.id
FROM jobs
WHERE jobs.id = $1::UUID AND jobs.state IN (__[POSTCOMPILE_state_1])

