-- statement: sqlite
CREATE TABLE IF NOT EXISTS schema_leases (
	name TEXT NOT NULL,
	holder TEXT,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- statement: postgresql
CREATE TABLE IF NOT EXISTS schema_leases (
	name VARCHAR COLLATE "C" NOT NULL,
	holder VARCHAR COLLATE "C",
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- statement: cockroachdb
CREATE TABLE IF NOT EXISTS schema_leases (
	name VARCHAR NOT NULL,
	holder VARCHAR,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- statement: sqlite
INSERT INTO schema_leases (name, holder, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql
INSERT INTO schema_leases (name, holder, expires_at) VALUES ($1::VARCHAR COLLATE "C", $2::VARCHAR COLLATE "C", $3::BIGINT) ON CONFLICT DO NOTHING

-- statement: cockroachdb
INSERT INTO schema_leases (name, holder, expires_at) VALUES ($1::VARCHAR, $2::VARCHAR, $3::BIGINT) ON CONFLICT DO NOTHING

-- statement: sqlite
UPDATE schema_leases SET holder=?, expires_at=? WHERE schema_leases.name = ? AND (schema_leases.holder IS NULL OR schema_leases.expires_at < ?)

-- statement: postgresql
UPDATE schema_leases SET holder=$1::VARCHAR COLLATE "C", expires_at=$2::BIGINT WHERE schema_leases.name = $3::VARCHAR COLLATE "C" AND (schema_leases.holder IS NULL OR schema_leases.expires_at < $4::BIGINT)

-- statement: cockroachdb
UPDATE schema_leases SET holder=$1::VARCHAR, expires_at=$2::BIGINT WHERE schema_leases.name = $3::VARCHAR AND (schema_leases.holder IS NULL OR schema_leases.expires_at < $4::BIGINT)

-- statement: sqlite
UPDATE schema_leases SET expires_at=? WHERE schema_leases.name = ? AND schema_leases.holder = ?

-- statement: postgresql
UPDATE schema_leases SET expires_at=$1::BIGINT WHERE schema_leases.name = $2::VARCHAR COLLATE "C" AND schema_leases.holder = $3::VARCHAR COLLATE "C"

-- statement: cockroachdb
UPDATE schema_leases SET expires_at=$1::BIGINT WHERE schema_leases.name = $2::VARCHAR AND schema_leases.holder = $3::VARCHAR

-- statement: sqlite
UPDATE schema_leases SET holder=?, expires_at=? WHERE schema_leases.name = ? AND schema_leases.holder = ?

-- statement: postgresql
UPDATE schema_leases SET holder=$1::VARCHAR COLLATE "C", expires_at=$2::BIGINT WHERE schema_leases.name = $3::VARCHAR COLLATE "C" AND schema_leases.holder = $4::VARCHAR COLLATE "C"

-- statement: cockroachdb
UPDATE schema_leases SET holder=$1::VARCHAR, expires_at=$2::BIGINT WHERE schema_leases.name = $3::VARCHAR AND schema_leases.holder = $4::VARCHAR

