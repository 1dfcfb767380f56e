-- IS_LIVE: sqlite
SELECT jobs.id
FROM jobs
WHERE jobs.id = ? AND jobs.state IN (__[POSTCOMPILE_state_1])

-- IS_LIVE: postgresql, cockroachdb
SELECT jobs.id
FROM jobs
WHERE jobs.id = $1::UUID AND jobs.state IN (__[POSTCOMPILE_state_1])

-- ADD: sqlite
INSERT INTO job_schedules (name, kind, payload, every, next_at, last_job) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING

-- ADD: postgresql
INSERT INTO job_schedules (name, kind, payload, every, next_at, last_job) VALUES ($1::VARCHAR COLLATE "C", $2::VARCHAR COLLATE "C", $3::BYTEA, $4::BIGINT, $5::BIGINT, $6::UUID) ON CONFLICT (name) DO NOTHING

-- ADD: cockroachdb
INSERT INTO job_schedules (name, kind, payload, every, next_at, last_job) VALUES ($1::VARCHAR, $2::VARCHAR, $3::BYTEA, $4::BIGINT, $5::BIGINT, $6::UUID) ON CONFLICT (name) DO NOTHING

-- CHANGE: sqlite
UPDATE job_schedules SET kind=?, payload=?, every=?, next_at=CASE WHEN (job_schedules.next_at > ?) THEN ? ELSE job_schedules.next_at END WHERE job_schedules.name = ? AND (job_schedules.kind != ? OR job_schedules.payload != ? OR job_schedules.every != ?)

-- CHANGE: postgresql
UPDATE job_schedules SET kind=$1::VARCHAR COLLATE "C", payload=$2::BYTEA, every=$3::BIGINT, next_at=CASE WHEN (job_schedules.next_at > $4::BIGINT) THEN $4::BIGINT ELSE job_schedules.next_at END WHERE job_schedules.name = $5::VARCHAR COLLATE "C" AND (job_schedules.kind != $1::VARCHAR COLLATE "C" OR job_schedules.payload != $2::BYTEA OR job_schedules.every != $3::BIGINT)

-- CHANGE: cockroachdb
UPDATE job_schedules SET kind=$1::VARCHAR, payload=$2::BYTEA, every=$3::BIGINT, next_at=CASE WHEN (job_schedules.next_at > $4::BIGINT) THEN $4::BIGINT ELSE job_schedules.next_at END WHERE job_schedules.name = $5::VARCHAR AND (job_schedules.kind != $1::VARCHAR OR job_schedules.payload != $2::BYTEA OR job_schedules.every != $3::BIGINT)

-- DUE: sqlite
SELECT job_schedules.name, job_schedules.kind, job_schedules.payload, job_schedules.every, job_schedules.next_at, job_schedules.last_job
FROM job_schedules
WHERE job_schedules.next_at <= ? ORDER BY job_schedules.name

-- DUE: postgresql, cockroachdb
SELECT job_schedules.name, job_schedules.kind, job_schedules.payload, job_schedules.every, job_schedules.next_at, job_schedules.last_job
FROM job_schedules
WHERE job_schedules.next_at <= $1::BIGINT ORDER BY job_schedules.name

-- MOVE_ON: sqlite
UPDATE job_schedules SET next_at=? WHERE job_schedules.name = ? AND job_schedules.next_at = ? RETURNING name

-- MOVE_ON: postgresql
UPDATE job_schedules SET next_at=$1::BIGINT WHERE job_schedules.name = $2::VARCHAR COLLATE "C" AND job_schedules.next_at = $3::BIGINT RETURNING job_schedules.name

-- MOVE_ON: cockroachdb
UPDATE job_schedules SET next_at=$1::BIGINT WHERE job_schedules.name = $2::VARCHAR AND job_schedules.next_at = $3::BIGINT RETURNING job_schedules.name

-- REMEMBER: sqlite
UPDATE job_schedules SET last_job=? WHERE job_schedules.name = ?

-- REMEMBER: postgresql
UPDATE job_schedules SET last_job=$1::UUID WHERE job_schedules.name = $2::VARCHAR COLLATE "C"

-- REMEMBER: cockroachdb
UPDATE job_schedules SET last_job=$1::UUID WHERE job_schedules.name = $2::VARCHAR

