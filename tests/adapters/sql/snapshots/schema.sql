-- job_schedules: sqlite
CREATE TABLE job_schedules (
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	payload BLOB NOT NULL,
	every BIGINT NOT NULL,
	next_at BIGINT NOT NULL,
	last_job BLOB,
	CONSTRAINT pk_job_schedules PRIMARY KEY (name)
)

-- job_schedules: postgresql
CREATE TABLE job_schedules (
	name VARCHAR COLLATE "C" NOT NULL,
	kind VARCHAR COLLATE "C" NOT NULL,
	payload BYTEA NOT NULL,
	every BIGINT NOT NULL,
	next_at BIGINT NOT NULL,
	last_job UUID,
	CONSTRAINT pk_job_schedules PRIMARY KEY (name)
)

-- job_schedules: cockroachdb
CREATE TABLE job_schedules (
	name VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	payload BYTEA NOT NULL,
	every BIGINT NOT NULL,
	next_at BIGINT NOT NULL,
	last_job UUID,
	CONSTRAINT pk_job_schedules PRIMARY KEY (name)
)

-- jobs: sqlite
CREATE TABLE jobs (
	id BLOB NOT NULL,
	kind TEXT NOT NULL,
	dedup_key TEXT,
	state TEXT NOT NULL,
	due_at BIGINT,
	settled_at BIGINT,
	attempts BIGINT NOT NULL,
	max_attempts BIGINT NOT NULL,
	postponed BIGINT NOT NULL,
	claim BLOB,
	error TEXT NOT NULL,
	payload BLOB NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (id),
	CONSTRAINT uq_jobs_dedup_key_kind UNIQUE (dedup_key, kind)
)

-- jobs: postgresql
CREATE TABLE jobs (
	id UUID NOT NULL,
	kind VARCHAR COLLATE "C" NOT NULL,
	dedup_key VARCHAR COLLATE "C",
	state VARCHAR COLLATE "C" NOT NULL,
	due_at BIGINT,
	settled_at BIGINT,
	attempts BIGINT NOT NULL,
	max_attempts BIGINT NOT NULL,
	postponed BIGINT NOT NULL,
	claim UUID,
	error VARCHAR COLLATE "C" NOT NULL,
	payload BYTEA NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (id),
	CONSTRAINT uq_jobs_dedup_key_kind UNIQUE (dedup_key, kind)
)

-- jobs: cockroachdb
CREATE TABLE jobs (
	id UUID NOT NULL,
	kind VARCHAR NOT NULL,
	dedup_key VARCHAR,
	state VARCHAR NOT NULL,
	due_at BIGINT,
	settled_at BIGINT,
	attempts BIGINT NOT NULL,
	max_attempts BIGINT NOT NULL,
	postponed BIGINT NOT NULL,
	claim UUID,
	error VARCHAR NOT NULL,
	payload BYTEA NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (id),
	CONSTRAINT uq_jobs_dedup_key_kind UNIQUE (dedup_key, kind)
)

-- ix_jobs_due_at_id_kind: sqlite, postgresql, cockroachdb
CREATE INDEX ix_jobs_due_at_id_kind ON jobs (due_at, id, kind)

-- ix_jobs_state_settled_at_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_jobs_state_settled_at_id ON jobs (state, settled_at, id)

-- messages: sqlite
CREATE TABLE messages (
	conversation BLOB NOT NULL,
	id BLOB NOT NULL,
	"key" TEXT NOT NULL,
	version BIGINT NOT NULL,
	body BLOB NOT NULL,
	CONSTRAINT pk_messages PRIMARY KEY (conversation, id),
	CONSTRAINT uq_messages_conversation_key UNIQUE (conversation, "key")
)

-- messages: postgresql
CREATE TABLE messages (
	conversation UUID NOT NULL,
	id UUID NOT NULL,
	key VARCHAR COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	body BYTEA NOT NULL,
	CONSTRAINT pk_messages PRIMARY KEY (conversation, id),
	CONSTRAINT uq_messages_conversation_key UNIQUE (conversation, key)
)

-- messages: cockroachdb
CREATE TABLE messages (
	conversation UUID NOT NULL,
	id UUID NOT NULL,
	key VARCHAR NOT NULL,
	version BIGINT NOT NULL,
	body BYTEA NOT NULL,
	CONSTRAINT pk_messages PRIMARY KEY (conversation, id),
	CONSTRAINT uq_messages_conversation_key UNIQUE (conversation, key)
)

-- schema_leases: sqlite
CREATE TABLE schema_leases (
	name TEXT NOT NULL,
	holder TEXT,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- schema_leases: postgresql
CREATE TABLE schema_leases (
	name VARCHAR COLLATE "C" NOT NULL,
	holder VARCHAR COLLATE "C",
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- schema_leases: cockroachdb
CREATE TABLE schema_leases (
	name VARCHAR NOT NULL,
	holder VARCHAR,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_schema_leases PRIMARY KEY (name)
)

-- stream_records: sqlite
CREATE TABLE stream_records (
	stream TEXT NOT NULL,
	position BIGINT NOT NULL,
	"key" TEXT,
	payload BLOB NOT NULL,
	appended_at BIGINT NOT NULL,
	CONSTRAINT pk_stream_records PRIMARY KEY (stream, position),
	CONSTRAINT uq_stream_records_stream_key UNIQUE (stream, "key")
)

-- stream_records: postgresql
CREATE TABLE stream_records (
	stream VARCHAR COLLATE "C" NOT NULL,
	position BIGINT NOT NULL,
	key VARCHAR COLLATE "C",
	payload BYTEA NOT NULL,
	appended_at BIGINT NOT NULL,
	CONSTRAINT pk_stream_records PRIMARY KEY (stream, position),
	CONSTRAINT uq_stream_records_stream_key UNIQUE (stream, key)
)

-- stream_records: cockroachdb
CREATE TABLE stream_records (
	stream VARCHAR NOT NULL,
	position BIGINT NOT NULL,
	key VARCHAR,
	payload BYTEA NOT NULL,
	appended_at BIGINT NOT NULL,
	CONSTRAINT pk_stream_records PRIMARY KEY (stream, position),
	CONSTRAINT uq_stream_records_stream_key UNIQUE (stream, key)
)

-- streams: sqlite
CREATE TABLE streams (
	name TEXT NOT NULL,
	last BIGINT NOT NULL,
	CONSTRAINT pk_streams PRIMARY KEY (name)
)

-- streams: postgresql
CREATE TABLE streams (
	name VARCHAR COLLATE "C" NOT NULL,
	last BIGINT NOT NULL,
	CONSTRAINT pk_streams PRIMARY KEY (name)
)

-- streams: cockroachdb
CREATE TABLE streams (
	name VARCHAR NOT NULL,
	last BIGINT NOT NULL,
	CONSTRAINT pk_streams PRIMARY KEY (name)
)

