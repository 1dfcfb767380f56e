-- statement: sqlite
INSERT INTO second_factors (account, secret, created_at, last_step, confirmed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET secret = ?, created_at = ?, last_step = ?, confirmed_at = ? WHERE second_factors.confirmed_at IS NULL

-- statement: postgresql, cockroachdb
INSERT INTO second_factors (account, secret, created_at, last_step, confirmed_at) VALUES ($1::UUID, $2::BYTEA, $3::BIGINT, $4::BIGINT, $5::BIGINT) ON CONFLICT (account) DO UPDATE SET secret = $6::BYTEA, created_at = $7::BIGINT, last_step = $8::BIGINT, confirmed_at = $9::BIGINT WHERE second_factors.confirmed_at IS NULL

-- statement: sqlite
SELECT second_factors.account, second_factors.secret, second_factors.created_at, second_factors.last_step, second_factors.confirmed_at
FROM second_factors
WHERE second_factors.account = ?

-- statement: postgresql, cockroachdb
SELECT second_factors.account, second_factors.secret, second_factors.created_at, second_factors.last_step, second_factors.confirmed_at
FROM second_factors
WHERE second_factors.account = $1::UUID

-- statement: sqlite
UPDATE second_factors SET last_step=?, confirmed_at=? WHERE second_factors.account = ? AND second_factors.confirmed_at IS NULL

-- statement: postgresql, cockroachdb
UPDATE second_factors SET last_step=$1::BIGINT, confirmed_at=$2::BIGINT WHERE second_factors.account = $3::UUID AND second_factors.confirmed_at IS NULL

-- statement: sqlite
UPDATE second_factors SET last_step=? WHERE second_factors.account = ? AND second_factors.confirmed_at IS NOT NULL AND second_factors.last_step < ?

-- statement: postgresql, cockroachdb
UPDATE second_factors SET last_step=$1::BIGINT WHERE second_factors.account = $2::UUID AND second_factors.confirmed_at IS NOT NULL AND second_factors.last_step < $3::BIGINT

-- statement: sqlite
DELETE FROM recovery_codes WHERE recovery_codes.account = ?

-- statement: postgresql, cockroachdb
DELETE FROM recovery_codes WHERE recovery_codes.account = $1::UUID

-- statement: sqlite
INSERT INTO recovery_codes (account, digest) VALUES (?, ?)

-- statement: postgresql, cockroachdb
INSERT INTO recovery_codes (account, digest) VALUES ($1::UUID, $2::BYTEA)

-- statement: sqlite
DELETE FROM recovery_codes WHERE recovery_codes.account = ? AND recovery_codes.digest = ?

-- statement: postgresql, cockroachdb
DELETE FROM recovery_codes WHERE recovery_codes.account = $1::UUID AND recovery_codes.digest = $2::BYTEA

-- statement: sqlite
SELECT count(*) AS count_1
FROM recovery_codes
WHERE recovery_codes.account = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM recovery_codes
WHERE recovery_codes.account = $1::UUID

-- statement: sqlite
DELETE FROM second_factors WHERE second_factors.account = ?

-- statement: postgresql, cockroachdb
DELETE FROM second_factors WHERE second_factors.account = $1::UUID

