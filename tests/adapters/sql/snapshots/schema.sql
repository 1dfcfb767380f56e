-- accounts: sqlite
CREATE TABLE accounts (
	id BLOB NOT NULL,
	email TEXT NOT NULL,
	username TEXT NOT NULL,
	skeleton TEXT NOT NULL,
	display_name TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	password_changed_at BIGINT NOT NULL,
	email_verified_at BIGINT,
	roles TEXT NOT NULL,
	state TEXT NOT NULL,
	searchable BOOLEAN NOT NULL,
	avatar TEXT,
	status_text TEXT,
	visibility TEXT,
	CONSTRAINT pk_accounts PRIMARY KEY (id),
	CONSTRAINT uq_accounts_email UNIQUE (email),
	CONSTRAINT uq_accounts_skeleton UNIQUE (skeleton)
)

-- accounts: postgresql
CREATE TABLE accounts (
	id UUID NOT NULL,
	email VARCHAR COLLATE "C" NOT NULL,
	username VARCHAR COLLATE "C" NOT NULL,
	skeleton VARCHAR COLLATE "C" NOT NULL,
	display_name VARCHAR COLLATE "C" NOT NULL,
	password_hash VARCHAR COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	password_changed_at BIGINT NOT NULL,
	email_verified_at BIGINT,
	roles VARCHAR COLLATE "C" NOT NULL,
	state VARCHAR COLLATE "C" NOT NULL,
	searchable BOOLEAN NOT NULL,
	avatar VARCHAR COLLATE "C",
	status_text VARCHAR COLLATE "C",
	visibility TEXT,
	CONSTRAINT pk_accounts PRIMARY KEY (id),
	CONSTRAINT uq_accounts_email UNIQUE (email),
	CONSTRAINT uq_accounts_skeleton UNIQUE (skeleton)
)

-- accounts: cockroachdb
CREATE TABLE accounts (
	id UUID NOT NULL,
	email VARCHAR NOT NULL,
	username VARCHAR NOT NULL,
	skeleton VARCHAR NOT NULL,
	display_name VARCHAR NOT NULL,
	password_hash VARCHAR NOT NULL,
	created_at BIGINT NOT NULL,
	password_changed_at BIGINT NOT NULL,
	email_verified_at BIGINT,
	roles VARCHAR NOT NULL,
	state VARCHAR NOT NULL,
	searchable BOOLEAN NOT NULL,
	avatar VARCHAR,
	status_text VARCHAR,
	visibility TEXT,
	CONSTRAINT pk_accounts PRIMARY KEY (id),
	CONSTRAINT uq_accounts_email UNIQUE (email),
	CONSTRAINT uq_accounts_skeleton UNIQUE (skeleton)
)

-- ix_accounts_roles_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_accounts_roles_id ON accounts (roles, id)

-- api_keys: sqlite
CREATE TABLE api_keys (
	id BLOB NOT NULL,
	name TEXT NOT NULL,
	digest BLOB NOT NULL,
	scopes TEXT NOT NULL,
	rate BIGINT NOT NULL,
	made_by TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	CONSTRAINT pk_api_keys PRIMARY KEY (id)
)

-- api_keys: postgresql
CREATE TABLE api_keys (
	id UUID NOT NULL,
	name VARCHAR COLLATE "C" NOT NULL,
	digest BYTEA NOT NULL,
	scopes VARCHAR COLLATE "C" NOT NULL,
	rate BIGINT NOT NULL,
	made_by VARCHAR COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	CONSTRAINT pk_api_keys PRIMARY KEY (id)
)

-- api_keys: cockroachdb
CREATE TABLE api_keys (
	id UUID NOT NULL,
	name VARCHAR NOT NULL,
	digest BYTEA NOT NULL,
	scopes VARCHAR NOT NULL,
	rate BIGINT NOT NULL,
	made_by VARCHAR NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT,
	CONSTRAINT pk_api_keys PRIMARY KEY (id)
)

-- audit_log: sqlite
CREATE TABLE audit_log (
	id BLOB NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	details TEXT NOT NULL,
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
)

-- audit_log: postgresql
CREATE TABLE audit_log (
	id UUID NOT NULL,
	actor VARCHAR COLLATE "C" NOT NULL,
	action VARCHAR COLLATE "C" NOT NULL,
	subject VARCHAR COLLATE "C" NOT NULL,
	details TEXT NOT NULL,
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
)

-- audit_log: cockroachdb
CREATE TABLE audit_log (
	id UUID NOT NULL,
	actor VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	details TEXT NOT NULL,
	CONSTRAINT pk_audit_log PRIMARY KEY (id)
)

-- ix_audit_log_action_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_audit_log_action_id ON audit_log (action, id)

-- ix_audit_log_actor_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_audit_log_actor_id ON audit_log (actor, id)

-- ix_audit_log_subject_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_audit_log_subject_id ON audit_log (subject, id)

-- blocks: sqlite
CREATE TABLE blocks (
	blocker BLOB NOT NULL,
	blocked BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_blocks PRIMARY KEY (blocker, blocked)
)

-- blocks: postgresql, cockroachdb
CREATE TABLE blocks (
	blocker UUID NOT NULL,
	blocked UUID NOT NULL,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_blocks PRIMARY KEY (blocker, blocked)
)

-- ix_blocks_blocked_blocker: sqlite, postgresql, cockroachdb
CREATE INDEX ix_blocks_blocked_blocker ON blocks (blocked, blocker)

-- ix_blocks_blocker_created_at_blocked: sqlite, postgresql, cockroachdb
CREATE INDEX ix_blocks_blocker_created_at_blocked ON blocks (blocker, created_at, blocked)

-- conversation_bans: sqlite
CREATE TABLE conversation_bans (
	conversation BLOB NOT NULL,
	person BLOB NOT NULL,
	banned_at BIGINT NOT NULL,
	CONSTRAINT pk_conversation_bans PRIMARY KEY (conversation, person)
)

-- conversation_bans: postgresql, cockroachdb
CREATE TABLE conversation_bans (
	conversation UUID NOT NULL,
	person UUID NOT NULL,
	banned_at BIGINT NOT NULL,
	CONSTRAINT pk_conversation_bans PRIMARY KEY (conversation, person)
)

-- ix_conversation_bans_conversation_banned_at_person: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_bans_conversation_banned_at_person ON conversation_bans (conversation, banned_at, person)

-- ix_conversation_bans_person: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_bans_person ON conversation_bans (person)

-- conversation_invites: sqlite
CREATE TABLE conversation_invites (
	id BLOB NOT NULL,
	conversation BLOB NOT NULL,
	digest BLOB NOT NULL,
	created_by BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	max_uses BIGINT,
	uses BIGINT NOT NULL,
	CONSTRAINT pk_conversation_invites PRIMARY KEY (id),
	CONSTRAINT uq_conversation_invites_digest UNIQUE (digest)
)

-- conversation_invites: postgresql, cockroachdb
CREATE TABLE conversation_invites (
	id UUID NOT NULL,
	conversation UUID NOT NULL,
	digest BYTEA NOT NULL,
	created_by UUID NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	max_uses BIGINT,
	uses BIGINT NOT NULL,
	CONSTRAINT pk_conversation_invites PRIMARY KEY (id),
	CONSTRAINT uq_conversation_invites_digest UNIQUE (digest)
)

-- ix_conversation_invites_conversation_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_invites_conversation_id ON conversation_invites (conversation, id)

-- ix_conversation_invites_created_by: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_invites_created_by ON conversation_invites (created_by)

-- conversation_members: sqlite
CREATE TABLE conversation_members (
	conversation BLOB NOT NULL,
	person BLOB NOT NULL,
	role TEXT NOT NULL,
	joined_at BIGINT NOT NULL,
	last_read BLOB,
	seen BIGINT NOT NULL,
	CONSTRAINT pk_conversation_members PRIMARY KEY (conversation, person)
)

-- conversation_members: postgresql
CREATE TABLE conversation_members (
	conversation UUID NOT NULL,
	person UUID NOT NULL,
	role VARCHAR COLLATE "C" NOT NULL,
	joined_at BIGINT NOT NULL,
	last_read UUID,
	seen BIGINT NOT NULL,
	CONSTRAINT pk_conversation_members PRIMARY KEY (conversation, person)
)

-- conversation_members: cockroachdb
CREATE TABLE conversation_members (
	conversation UUID NOT NULL,
	person UUID NOT NULL,
	"role" VARCHAR NOT NULL,
	joined_at BIGINT NOT NULL,
	last_read UUID,
	seen BIGINT NOT NULL,
	CONSTRAINT pk_conversation_members PRIMARY KEY (conversation, person)
)

-- ix_conversation_members_conversation_joined_at_person: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_members_conversation_joined_at_person ON conversation_members (conversation, joined_at, person)

-- ix_conversation_members_owner: sqlite, postgresql
CREATE UNIQUE INDEX ix_conversation_members_owner ON conversation_members (conversation) WHERE role = 'owner'

-- ix_conversation_members_owner: cockroachdb
CREATE UNIQUE INDEX ix_conversation_members_owner ON conversation_members (conversation) WHERE "role" = 'owner'

-- ix_conversation_members_person_conversation: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversation_members_person_conversation ON conversation_members (person, conversation)

-- conversations: sqlite
CREATE TABLE conversations (
	id BLOB NOT NULL,
	kind TEXT NOT NULL,
	pair BLOB,
	title TEXT,
	description TEXT,
	words TEXT NOT NULL,
	mode TEXT NOT NULL,
	mode_version BIGINT NOT NULL,
	mode_policy TEXT NOT NULL,
	ai_enabled BOOLEAN NOT NULL,
	recording_enabled BOOLEAN NOT NULL,
	retention BIGINT,
	is_public BOOLEAN NOT NULL,
	allow_invites BOOLEAN NOT NULL,
	max_members BIGINT NOT NULL,
	member_count BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	active_at BIGINT NOT NULL,
	said BIGINT NOT NULL,
	avatar TEXT,
	CONSTRAINT pk_conversations PRIMARY KEY (id),
	CONSTRAINT uq_conversations_pair UNIQUE (pair)
)

-- conversations: postgresql
CREATE TABLE conversations (
	id UUID NOT NULL,
	kind VARCHAR COLLATE "C" NOT NULL,
	pair BYTEA,
	title VARCHAR COLLATE "C",
	description VARCHAR COLLATE "C",
	words VARCHAR COLLATE "C" NOT NULL,
	mode VARCHAR COLLATE "C" NOT NULL,
	mode_version BIGINT NOT NULL,
	mode_policy VARCHAR COLLATE "C" NOT NULL,
	ai_enabled BOOLEAN NOT NULL,
	recording_enabled BOOLEAN NOT NULL,
	retention BIGINT,
	is_public BOOLEAN NOT NULL,
	allow_invites BOOLEAN NOT NULL,
	max_members BIGINT NOT NULL,
	member_count BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	active_at BIGINT NOT NULL,
	said BIGINT NOT NULL,
	avatar VARCHAR COLLATE "C",
	CONSTRAINT pk_conversations PRIMARY KEY (id),
	CONSTRAINT uq_conversations_pair UNIQUE (pair)
)

-- conversations: cockroachdb
CREATE TABLE conversations (
	id UUID NOT NULL,
	kind VARCHAR NOT NULL,
	pair BYTEA,
	title VARCHAR,
	description VARCHAR,
	words VARCHAR NOT NULL,
	mode VARCHAR NOT NULL,
	mode_version BIGINT NOT NULL,
	mode_policy VARCHAR NOT NULL,
	ai_enabled BOOLEAN NOT NULL,
	recording_enabled BOOLEAN NOT NULL,
	retention BIGINT,
	is_public BOOLEAN NOT NULL,
	allow_invites BOOLEAN NOT NULL,
	max_members BIGINT NOT NULL,
	member_count BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	active_at BIGINT NOT NULL,
	said BIGINT NOT NULL,
	avatar VARCHAR,
	CONSTRAINT pk_conversations PRIMARY KEY (id),
	CONSTRAINT uq_conversations_pair UNIQUE (pair)
)

-- ix_conversations_is_public: sqlite, postgresql, cockroachdb
CREATE INDEX ix_conversations_is_public ON conversations (is_public)

-- erasures: sqlite
CREATE TABLE erasures (
	id BLOB NOT NULL,
	person BLOB,
	address TEXT,
	pseudonym TEXT NOT NULL,
	asked_by TEXT NOT NULL,
	requested_at BIGINT NOT NULL,
	finished_at BIGINT,
	counts TEXT NOT NULL,
	CONSTRAINT pk_erasures PRIMARY KEY (id),
	CONSTRAINT uq_erasures_person UNIQUE (person)
)

-- erasures: postgresql
CREATE TABLE erasures (
	id UUID NOT NULL,
	person UUID,
	address VARCHAR COLLATE "C",
	pseudonym VARCHAR COLLATE "C" NOT NULL,
	asked_by VARCHAR COLLATE "C" NOT NULL,
	requested_at BIGINT NOT NULL,
	finished_at BIGINT,
	counts TEXT NOT NULL,
	CONSTRAINT pk_erasures PRIMARY KEY (id),
	CONSTRAINT uq_erasures_person UNIQUE (person)
)

-- erasures: cockroachdb
CREATE TABLE erasures (
	id UUID NOT NULL,
	person UUID,
	address VARCHAR,
	pseudonym VARCHAR NOT NULL,
	asked_by VARCHAR NOT NULL,
	requested_at BIGINT NOT NULL,
	finished_at BIGINT,
	counts TEXT NOT NULL,
	CONSTRAINT pk_erasures PRIMARY KEY (id),
	CONSTRAINT uq_erasures_person UNIQUE (person)
)

-- ix_erasures_pseudonym: sqlite, postgresql, cockroachdb
CREATE INDEX ix_erasures_pseudonym ON erasures (pseudonym)

-- exports: sqlite
CREATE TABLE exports (
	person BLOB NOT NULL,
	id BLOB NOT NULL,
	state TEXT NOT NULL,
	requested_at BIGINT NOT NULL,
	expires_at BIGINT,
	CONSTRAINT pk_exports PRIMARY KEY (person),
	CONSTRAINT uq_exports_id UNIQUE (id)
)

-- exports: postgresql
CREATE TABLE exports (
	person UUID NOT NULL,
	id UUID NOT NULL,
	state VARCHAR COLLATE "C" NOT NULL,
	requested_at BIGINT NOT NULL,
	expires_at BIGINT,
	CONSTRAINT pk_exports PRIMARY KEY (person),
	CONSTRAINT uq_exports_id UNIQUE (id)
)

-- exports: cockroachdb
CREATE TABLE exports (
	person UUID NOT NULL,
	id UUID NOT NULL,
	state VARCHAR NOT NULL,
	requested_at BIGINT NOT NULL,
	expires_at BIGINT,
	CONSTRAINT pk_exports PRIMARY KEY (person),
	CONSTRAINT uq_exports_id UNIQUE (id)
)

-- friendships: sqlite
CREATE TABLE friendships (
	low BLOB NOT NULL,
	high BLOB NOT NULL,
	asker BLOB NOT NULL,
	accepted BOOLEAN NOT NULL,
	since BIGINT NOT NULL,
	CONSTRAINT pk_friendships PRIMARY KEY (low, high)
)

-- friendships: postgresql, cockroachdb
CREATE TABLE friendships (
	low UUID NOT NULL,
	high UUID NOT NULL,
	asker UUID NOT NULL,
	accepted BOOLEAN NOT NULL,
	since BIGINT NOT NULL,
	CONSTRAINT pk_friendships PRIMARY KEY (low, high)
)

-- ix_friendships_high_accepted_since: sqlite, postgresql, cockroachdb
CREATE INDEX ix_friendships_high_accepted_since ON friendships (high, accepted, since)

-- ix_friendships_low_accepted_since: sqlite, postgresql, cockroachdb
CREATE INDEX ix_friendships_low_accepted_since ON friendships (low, accepted, since)

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

-- key_changes: sqlite
CREATE TABLE key_changes (
	account BLOB NOT NULL,
	id BLOB NOT NULL,
	device_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	CONSTRAINT pk_key_changes PRIMARY KEY (account, id)
)

-- key_changes: postgresql
CREATE TABLE key_changes (
	account UUID NOT NULL,
	id UUID NOT NULL,
	device_id VARCHAR COLLATE "C" NOT NULL,
	kind VARCHAR COLLATE "C" NOT NULL,
	fingerprint VARCHAR COLLATE "C" NOT NULL,
	CONSTRAINT pk_key_changes PRIMARY KEY (account, id)
)

-- key_changes: cockroachdb
CREATE TABLE key_changes (
	account UUID NOT NULL,
	id UUID NOT NULL,
	device_id VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	fingerprint VARCHAR NOT NULL,
	CONSTRAINT pk_key_changes PRIMARY KEY (account, id)
)

-- ix_key_changes_account_device_id_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_key_changes_account_device_id_id ON key_changes (account, device_id, id)

-- key_devices: sqlite
CREATE TABLE key_devices (
	account BLOB NOT NULL,
	device_id TEXT NOT NULL,
	identity_key BLOB NOT NULL,
	signed_key_id BIGINT NOT NULL,
	signed_key BLOB NOT NULL,
	signature BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	rotated_at BIGINT NOT NULL,
	handed BIGINT NOT NULL,
	given BIGINT,
	CONSTRAINT pk_key_devices PRIMARY KEY (account, device_id)
)

-- key_devices: postgresql
CREATE TABLE key_devices (
	account UUID NOT NULL,
	device_id VARCHAR COLLATE "C" NOT NULL,
	identity_key BYTEA NOT NULL,
	signed_key_id BIGINT NOT NULL,
	signed_key BYTEA NOT NULL,
	signature BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	rotated_at BIGINT NOT NULL,
	handed BIGINT NOT NULL,
	given BIGINT,
	CONSTRAINT pk_key_devices PRIMARY KEY (account, device_id)
)

-- key_devices: cockroachdb
CREATE TABLE key_devices (
	account UUID NOT NULL,
	device_id VARCHAR NOT NULL,
	identity_key BYTEA NOT NULL,
	signed_key_id BIGINT NOT NULL,
	signed_key BYTEA NOT NULL,
	signature BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	rotated_at BIGINT NOT NULL,
	handed BIGINT NOT NULL,
	given BIGINT,
	CONSTRAINT pk_key_devices PRIMARY KEY (account, device_id)
)

-- last_seen: sqlite
CREATE TABLE last_seen (
	account BLOB NOT NULL,
	at BIGINT NOT NULL,
	CONSTRAINT pk_last_seen PRIMARY KEY (account)
)

-- last_seen: postgresql, cockroachdb
CREATE TABLE last_seen (
	account UUID NOT NULL,
	at BIGINT NOT NULL,
	CONSTRAINT pk_last_seen PRIMARY KEY (account)
)

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

-- mode_answers: sqlite
CREATE TABLE mode_answers (
	proposal BLOB NOT NULL,
	person BLOB NOT NULL,
	consents BOOLEAN NOT NULL,
	answered_at BIGINT NOT NULL,
	CONSTRAINT pk_mode_answers PRIMARY KEY (proposal, person)
)

-- mode_answers: postgresql, cockroachdb
CREATE TABLE mode_answers (
	proposal UUID NOT NULL,
	person UUID NOT NULL,
	consents BOOLEAN NOT NULL,
	answered_at BIGINT NOT NULL,
	CONSTRAINT pk_mode_answers PRIMARY KEY (proposal, person)
)

-- ix_mode_answers_person: sqlite, postgresql, cockroachdb
CREATE INDEX ix_mode_answers_person ON mode_answers (person)

-- mode_proposals: sqlite
CREATE TABLE mode_proposals (
	id BLOB NOT NULL,
	conversation BLOB NOT NULL,
	mode TEXT NOT NULL,
	proposed_by BLOB,
	proposed_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	state TEXT NOT NULL,
	ended_at BIGINT,
	open_in BLOB,
	CONSTRAINT pk_mode_proposals PRIMARY KEY (id),
	CONSTRAINT uq_mode_proposals_open_in UNIQUE (open_in)
)

-- mode_proposals: postgresql
CREATE TABLE mode_proposals (
	id UUID NOT NULL,
	conversation UUID NOT NULL,
	mode VARCHAR COLLATE "C" NOT NULL,
	proposed_by UUID,
	proposed_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	state VARCHAR COLLATE "C" NOT NULL,
	ended_at BIGINT,
	open_in UUID,
	CONSTRAINT pk_mode_proposals PRIMARY KEY (id),
	CONSTRAINT uq_mode_proposals_open_in UNIQUE (open_in)
)

-- mode_proposals: cockroachdb
CREATE TABLE mode_proposals (
	id UUID NOT NULL,
	conversation UUID NOT NULL,
	mode VARCHAR NOT NULL,
	proposed_by UUID,
	proposed_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	state VARCHAR NOT NULL,
	ended_at BIGINT,
	open_in UUID,
	CONSTRAINT pk_mode_proposals PRIMARY KEY (id),
	CONSTRAINT uq_mode_proposals_open_in UNIQUE (open_in)
)

-- ix_mode_proposals_conversation_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_mode_proposals_conversation_id ON mode_proposals (conversation, id)

-- ix_mode_proposals_proposed_by: sqlite, postgresql, cockroachdb
CREATE INDEX ix_mode_proposals_proposed_by ON mode_proposals (proposed_by)

-- ix_mode_proposals_state_expires_at: sqlite, postgresql, cockroachdb
CREATE INDEX ix_mode_proposals_state_expires_at ON mode_proposals (state, expires_at)

-- one_time_keys: sqlite
CREATE TABLE one_time_keys (
	account BLOB NOT NULL,
	device_id TEXT NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BLOB NOT NULL,
	position BIGINT NOT NULL,
	CONSTRAINT pk_one_time_keys PRIMARY KEY (account, device_id, key_id),
	CONSTRAINT uq_one_time_keys_account_device_id_public_key UNIQUE (account, device_id, public_key),
	CONSTRAINT uq_one_time_keys_account_device_id_position UNIQUE (account, device_id, position)
)

-- one_time_keys: postgresql
CREATE TABLE one_time_keys (
	account UUID NOT NULL,
	device_id VARCHAR COLLATE "C" NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BYTEA NOT NULL,
	position BIGINT NOT NULL,
	CONSTRAINT pk_one_time_keys PRIMARY KEY (account, device_id, key_id),
	CONSTRAINT uq_one_time_keys_account_device_id_public_key UNIQUE (account, device_id, public_key),
	CONSTRAINT uq_one_time_keys_account_device_id_position UNIQUE (account, device_id, position)
)

-- one_time_keys: cockroachdb
CREATE TABLE one_time_keys (
	account UUID NOT NULL,
	device_id VARCHAR NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BYTEA NOT NULL,
	position BIGINT NOT NULL,
	CONSTRAINT pk_one_time_keys PRIMARY KEY (account, device_id, key_id),
	CONSTRAINT uq_one_time_keys_account_device_id_public_key UNIQUE (account, device_id, public_key),
	CONSTRAINT uq_one_time_keys_account_device_id_position UNIQUE (account, device_id, position)
)

-- one_time_links: sqlite
CREATE TABLE one_time_links (
	digest BLOB NOT NULL,
	purpose TEXT NOT NULL,
	account BLOB NOT NULL,
	about TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_one_time_links PRIMARY KEY (digest)
)

-- one_time_links: postgresql
CREATE TABLE one_time_links (
	digest BYTEA NOT NULL,
	purpose VARCHAR COLLATE "C" NOT NULL,
	account UUID NOT NULL,
	about VARCHAR COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_one_time_links PRIMARY KEY (digest)
)

-- one_time_links: cockroachdb
CREATE TABLE one_time_links (
	digest BYTEA NOT NULL,
	purpose VARCHAR NOT NULL,
	account UUID NOT NULL,
	about VARCHAR NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_one_time_links PRIMARY KEY (digest)
)

-- ix_one_time_links_account_purpose: sqlite, postgresql, cockroachdb
CREATE INDEX ix_one_time_links_account_purpose ON one_time_links (account, purpose)

-- ix_one_time_links_expires_at: sqlite, postgresql, cockroachdb
CREATE INDEX ix_one_time_links_expires_at ON one_time_links (expires_at)

-- recovery_codes: sqlite
CREATE TABLE recovery_codes (
	account BLOB NOT NULL,
	digest BLOB NOT NULL,
	CONSTRAINT pk_recovery_codes PRIMARY KEY (account, digest)
)

-- recovery_codes: postgresql, cockroachdb
CREATE TABLE recovery_codes (
	account UUID NOT NULL,
	digest BYTEA NOT NULL,
	CONSTRAINT pk_recovery_codes PRIMARY KEY (account, digest)
)

-- retired_signed_keys: sqlite
CREATE TABLE retired_signed_keys (
	account BLOB NOT NULL,
	device_id TEXT NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BLOB NOT NULL,
	retired_at BIGINT NOT NULL,
	CONSTRAINT pk_retired_signed_keys PRIMARY KEY (account, device_id, key_id)
)

-- retired_signed_keys: postgresql
CREATE TABLE retired_signed_keys (
	account UUID NOT NULL,
	device_id VARCHAR COLLATE "C" NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BYTEA NOT NULL,
	retired_at BIGINT NOT NULL,
	CONSTRAINT pk_retired_signed_keys PRIMARY KEY (account, device_id, key_id)
)

-- retired_signed_keys: cockroachdb
CREATE TABLE retired_signed_keys (
	account UUID NOT NULL,
	device_id VARCHAR NOT NULL,
	key_id BIGINT NOT NULL,
	public_key BYTEA NOT NULL,
	retired_at BIGINT NOT NULL,
	CONSTRAINT pk_retired_signed_keys PRIMARY KEY (account, device_id, key_id)
)

-- rooms: sqlite
CREATE TABLE rooms (
	id BLOB NOT NULL,
	owner BLOB,
	name TEXT NOT NULL,
	mode TEXT NOT NULL,
	max_participants BIGINT NOT NULL,
	empty_timeout BIGINT NOT NULL,
	waiting_room BOOLEAN NOT NULL,
	metadata TEXT,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_rooms PRIMARY KEY (id)
)

-- rooms: postgresql
CREATE TABLE rooms (
	id UUID NOT NULL,
	owner UUID,
	name VARCHAR COLLATE "C" NOT NULL,
	mode VARCHAR COLLATE "C" NOT NULL,
	max_participants BIGINT NOT NULL,
	empty_timeout BIGINT NOT NULL,
	waiting_room BOOLEAN NOT NULL,
	metadata VARCHAR COLLATE "C",
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_rooms PRIMARY KEY (id)
)

-- rooms: cockroachdb
CREATE TABLE rooms (
	id UUID NOT NULL,
	owner UUID,
	name VARCHAR NOT NULL,
	mode VARCHAR NOT NULL,
	max_participants BIGINT NOT NULL,
	empty_timeout BIGINT NOT NULL,
	waiting_room BOOLEAN NOT NULL,
	metadata VARCHAR,
	created_at BIGINT NOT NULL,
	CONSTRAINT pk_rooms PRIMARY KEY (id)
)

-- ix_rooms_owner_id: sqlite, postgresql, cockroachdb
CREATE INDEX ix_rooms_owner_id ON rooms (owner, id)

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

-- search_words: sqlite
CREATE TABLE search_words (
	word TEXT NOT NULL,
	account BLOB NOT NULL,
	CONSTRAINT pk_search_words PRIMARY KEY (word, account)
)

-- search_words: postgresql
CREATE TABLE search_words (
	word VARCHAR COLLATE "C" NOT NULL,
	account UUID NOT NULL,
	CONSTRAINT pk_search_words PRIMARY KEY (word, account)
)

-- search_words: cockroachdb
CREATE TABLE search_words (
	word VARCHAR NOT NULL,
	account UUID NOT NULL,
	CONSTRAINT pk_search_words PRIMARY KEY (word, account)
)

-- ix_search_words_account_word: sqlite, postgresql, cockroachdb
CREATE INDEX ix_search_words_account_word ON search_words (account, word)

-- second_factors: sqlite
CREATE TABLE second_factors (
	account BLOB NOT NULL,
	secret BLOB NOT NULL,
	created_at BIGINT NOT NULL,
	last_step BIGINT NOT NULL,
	confirmed_at BIGINT,
	CONSTRAINT pk_second_factors PRIMARY KEY (account)
)

-- second_factors: postgresql, cockroachdb
CREATE TABLE second_factors (
	account UUID NOT NULL,
	secret BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	last_step BIGINT NOT NULL,
	confirmed_at BIGINT,
	CONSTRAINT pk_second_factors PRIMARY KEY (account)
)

-- sessions: sqlite
CREATE TABLE sessions (
	id BLOB NOT NULL,
	account BLOB NOT NULL,
	refresh_digest BLOB NOT NULL,
	client TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_sessions PRIMARY KEY (id)
)

-- sessions: postgresql
CREATE TABLE sessions (
	id UUID NOT NULL,
	account UUID NOT NULL,
	refresh_digest BYTEA NOT NULL,
	client VARCHAR COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_sessions PRIMARY KEY (id)
)

-- sessions: cockroachdb
CREATE TABLE sessions (
	id UUID NOT NULL,
	account UUID NOT NULL,
	refresh_digest BYTEA NOT NULL,
	client VARCHAR NOT NULL,
	created_at BIGINT NOT NULL,
	used_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	CONSTRAINT pk_sessions PRIMARY KEY (id)
)

-- ix_sessions_account_used_at: sqlite, postgresql, cockroachdb
CREATE INDEX ix_sessions_account_used_at ON sessions (account, used_at)

-- ix_sessions_expires_at: sqlite, postgresql, cockroachdb
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at)

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

-- subscriptions: sqlite
CREATE TABLE subscriptions (
	account BLOB NOT NULL,
	"plan" TEXT NOT NULL,
	starts_at BIGINT NOT NULL,
	ends_at BIGINT,
	limits TEXT NOT NULL,
	CONSTRAINT pk_subscriptions PRIMARY KEY (account)
)

-- subscriptions: postgresql
CREATE TABLE subscriptions (
	account UUID NOT NULL,
	plan VARCHAR COLLATE "C" NOT NULL,
	starts_at BIGINT NOT NULL,
	ends_at BIGINT,
	limits TEXT NOT NULL,
	CONSTRAINT pk_subscriptions PRIMARY KEY (account)
)

-- subscriptions: cockroachdb
CREATE TABLE subscriptions (
	account UUID NOT NULL,
	plan VARCHAR NOT NULL,
	starts_at BIGINT NOT NULL,
	ends_at BIGINT,
	limits TEXT NOT NULL,
	CONSTRAINT pk_subscriptions PRIMARY KEY (account)
)

