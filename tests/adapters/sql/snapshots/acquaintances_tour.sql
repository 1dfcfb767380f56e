-- statement: sqlite
INSERT INTO friendships (low, high, asker, accepted, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT (low, high) DO UPDATE SET asker = ?, accepted = ?, since = ?

-- statement: postgresql, cockroachdb
INSERT INTO friendships (low, high, asker, accepted, since) VALUES ($1::UUID, $2::UUID, $3::UUID, $4::BOOLEAN, $5::BIGINT) ON CONFLICT (low, high) DO UPDATE SET asker = $6::UUID, accepted = $7::BOOLEAN, since = $8::BIGINT

-- statement: sqlite
SELECT friendships.low, friendships.high, friendships.asker, friendships.accepted, friendships.since
FROM friendships
WHERE friendships.low = ? AND friendships.high = ?

-- statement: postgresql, cockroachdb
SELECT friendships.low, friendships.high, friendships.asker, friendships.accepted, friendships.since
FROM friendships
WHERE friendships.low = $1::UUID AND friendships.high = $2::UUID

-- statement: sqlite
SELECT friendships.high
FROM friendships
WHERE friendships.low = ? AND friendships.accepted = 1 UNION ALL SELECT friendships.low
FROM friendships
WHERE friendships.high = ? AND friendships.accepted = 1

-- statement: postgresql, cockroachdb
SELECT friendships.high
FROM friendships
WHERE friendships.low = $1::UUID AND friendships.accepted UNION ALL SELECT friendships.low
FROM friendships
WHERE friendships.high = $2::UUID AND friendships.accepted

-- statement: sqlite
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted = 1 AND accounts.state != ? ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted AND accounts.state != $3::VARCHAR COLLATE "C" ORDER BY tie.since DESC, tie.other DESC
 LIMIT $4::INTEGER

-- statement: cockroachdb
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted AND accounts.state != $3::VARCHAR ORDER BY tie.since DESC, tie.other DESC
 LIMIT $4::INTEGER

-- statement: sqlite
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.accepted = 1

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.accepted

-- statement: sqlite
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted = 0 AND tie.asker != ? AND accounts.state != ? ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE NOT tie.accepted AND tie.asker != $3::UUID AND accounts.state != $4::VARCHAR COLLATE "C" ORDER BY tie.since DESC, tie.other DESC
 LIMIT $5::INTEGER

-- statement: cockroachdb
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE NOT tie.accepted AND tie.asker != $3::UUID AND accounts.state != $4::VARCHAR ORDER BY tie.since DESC, tie.other DESC
 LIMIT $5::INTEGER

-- statement: sqlite
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.accepted = 0 AND tie.asker != ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE NOT tie.accepted AND tie.asker != $3::UUID

-- statement: sqlite
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted = 0 AND tie.asker = ? AND accounts.state != ? ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE NOT tie.accepted AND tie.asker = $3::UUID AND accounts.state != $4::VARCHAR COLLATE "C" ORDER BY tie.since DESC, tie.other DESC
 LIMIT $5::INTEGER

-- statement: cockroachdb
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE NOT tie.accepted AND tie.asker = $3::UUID AND accounts.state != $4::VARCHAR ORDER BY tie.since DESC, tie.other DESC
 LIMIT $5::INTEGER

-- statement: sqlite
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.accepted = 0 AND tie.asker = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE NOT tie.accepted AND tie.asker = $3::UUID

-- statement: sqlite
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted = 1 AND accounts.state != ? AND (tie.since < ? OR tie.since = ? AND tie.other < ?) ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted AND accounts.state != $3::VARCHAR COLLATE "C" AND (tie.since < $4::BIGINT OR tie.since = $5::BIGINT AND tie.other < $6::UUID) ORDER BY tie.since DESC, tie.other DESC
 LIMIT $7::INTEGER

-- statement: cockroachdb
SELECT tie.since AS tied_since, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie JOIN accounts ON accounts.id = tie.other
WHERE tie.accepted AND accounts.state != $3::VARCHAR AND (tie.since < $4::BIGINT OR tie.since = $5::BIGINT AND tie.other < $6::UUID) ORDER BY tie.since DESC, tie.other DESC
 LIMIT $7::INTEGER

-- statement: sqlite
SELECT tie.other, tie.asker, tie.accepted, tie.since
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.other IN (__[POSTCOMPILE_other_1])

-- statement: postgresql, cockroachdb
SELECT tie.other, tie.asker, tie.accepted, tie.since
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.other IN (__[POSTCOMPILE_other_1])

-- statement: sqlite
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.accepted = 1 ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted = 1 UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted = 1) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = ? AND accounts.searchable = 1 AND counted.account != ? AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = ?)) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.accepted ORDER BY tie.since DESC, tie.other DESC
 LIMIT $3::INTEGER)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = $4::VARCHAR COLLATE "C" AND accounts.searchable AND counted.account != $5::UUID AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $6::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $7::UUID) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $8::UUID AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = $9::UUID)) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT $10::INTEGER

-- statement: cockroachdb
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.accepted ORDER BY tie.since DESC, tie.other DESC
 LIMIT $3::INTEGER)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = $4::VARCHAR AND accounts.searchable AND counted.account != $5::UUID AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $6::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $7::UUID) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $8::UUID AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = $9::UUID)) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT $10::INTEGER

-- statement: sqlite
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS tie
WHERE tie.accepted = 1 ORDER BY tie.since DESC, tie.other DESC
 LIMIT ? OFFSET ?)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted = 1 UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted = 1) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = ? AND accounts.searchable = 1 AND counted.account != ? AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = ?)) AND (counted.mutual_friends < ? OR counted.mutual_friends = ? AND counted.account < ?) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.accepted ORDER BY tie.since DESC, tie.other DESC
 LIMIT $3::INTEGER)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = $4::VARCHAR COLLATE "C" AND accounts.searchable AND counted.account != $5::UUID AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $6::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $7::UUID) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $8::UUID AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = $9::UUID)) AND (counted.mutual_friends < $10::INTEGER OR counted.mutual_friends = $11::INTEGER AND counted.account < $12::UUID) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT $13::INTEGER

-- statement: cockroachdb
WITH mine AS
(SELECT tie.other AS other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $1::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $2::UUID) AS tie
WHERE tie.accepted ORDER BY tie.since DESC, tie.other DESC
 LIMIT $3::INTEGER)
 SELECT counted.mutual_friends, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM (SELECT theirs.account AS account, count(*) AS mutual_friends
FROM (SELECT friendships.high AS account
FROM friendships JOIN mine ON mine.other = friendships.low
WHERE friendships.accepted UNION ALL SELECT friendships.low AS account
FROM friendships JOIN mine ON mine.other = friendships.high
WHERE friendships.accepted) AS theirs GROUP BY theirs.account) AS counted JOIN accounts ON accounts.id = counted.account
WHERE accounts.state = $4::VARCHAR AND accounts.searchable AND counted.account != $5::UUID AND (counted.account NOT IN (SELECT known.other
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $6::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $7::UUID) AS known)) AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $8::UUID AND block.blocked = counted.account OR block.blocker = counted.account AND block.blocked = $9::UUID)) AND (counted.mutual_friends < $10::INTEGER OR counted.mutual_friends = $11::INTEGER AND counted.account < $12::UUID) ORDER BY counted.mutual_friends DESC, counted.account DESC
 LIMIT $13::INTEGER

-- statement: sqlite
DELETE FROM friendships WHERE friendships.low = ? AND friendships.high = ?

-- statement: postgresql, cockroachdb
DELETE FROM friendships WHERE friendships.low = $1::UUID AND friendships.high = $2::UUID

-- statement: sqlite
INSERT INTO blocks (blocker, blocked, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- statement: postgresql, cockroachdb
INSERT INTO blocks (blocker, blocked, created_at) VALUES ($1::UUID, $2::UUID, $3::BIGINT) ON CONFLICT DO NOTHING

-- statement: sqlite
SELECT count(*) AS count_1
FROM blocks
WHERE blocks.blocker = ?

-- statement: postgresql, cockroachdb
SELECT count(*) AS count_1
FROM blocks
WHERE blocks.blocker = $1::UUID

-- statement: sqlite
SELECT blocks.created_at
FROM blocks
WHERE blocks.blocker = ? AND blocks.blocked = ?

-- statement: postgresql, cockroachdb
SELECT blocks.created_at
FROM blocks
WHERE blocks.blocker = $1::UUID AND blocks.blocked = $2::UUID

-- statement: sqlite
SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = ? AND blocks.blocked IN (__[POSTCOMPILE_blocked_1]) UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = ? AND blocks.blocker IN (__[POSTCOMPILE_blocker_2])

-- statement: postgresql, cockroachdb
SELECT blocks.blocked
FROM blocks
WHERE blocks.blocker = $1::UUID AND blocks.blocked IN (__[POSTCOMPILE_blocked_1]) UNION ALL SELECT blocks.blocker
FROM blocks
WHERE blocks.blocked = $2::UUID AND blocks.blocker IN (__[POSTCOMPILE_blocker_2])

-- statement: sqlite
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = ? AND accounts.state != ? ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = $1::UUID AND accounts.state != $2::VARCHAR COLLATE "C" ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT $3::INTEGER

-- statement: cockroachdb
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = $1::UUID AND accounts.state != $2::VARCHAR ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT $3::INTEGER

-- statement: sqlite
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = ? AND accounts.state != ? AND (blocks.created_at < ? OR blocks.created_at = ? AND blocks.blocked < ?) ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = $1::UUID AND accounts.state != $2::VARCHAR COLLATE "C" AND (blocks.created_at < $3::BIGINT OR blocks.created_at = $4::BIGINT AND blocks.blocked < $5::UUID) ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT $6::INTEGER

-- statement: cockroachdb
SELECT blocks.created_at AS blocked_at, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM blocks JOIN accounts ON accounts.id = blocks.blocked
WHERE blocks.blocker = $1::UUID AND accounts.state != $2::VARCHAR AND (blocks.created_at < $3::BIGINT OR blocks.created_at = $4::BIGINT AND blocks.blocked < $5::UUID) ORDER BY blocks.created_at DESC, blocks.blocked DESC
 LIMIT $6::INTEGER

-- statement: sqlite
DELETE FROM blocks WHERE blocks.blocker = ? AND blocks.blocked = ?

-- statement: postgresql, cockroachdb
DELETE FROM blocks WHERE blocks.blocker = $1::UUID AND blocks.blocked = $2::UUID

-- statement: sqlite
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= ? AND search_words.word < ? AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= ? AND earlier.word < search_words.word)) AND accounts.state = ? AND accounts.id != ? AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = ?)) AND (accounts.searchable = 1 OR accounts.username = ? AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted = 1))) ORDER BY search_words.word, search_words.account
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR COLLATE "C" AND search_words.word < $2::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR COLLATE "C" AND earlier.word < search_words.word)) AND accounts.state = $4::VARCHAR COLLATE "C" AND accounts.id != $5::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $6::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $7::UUID)) AND (accounts.searchable OR accounts.username = $8::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $9::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $10::UUID) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted))) ORDER BY search_words.word, search_words.account
 LIMIT $11::INTEGER

-- statement: cockroachdb
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR AND search_words.word < $2::VARCHAR AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR AND earlier.word < search_words.word)) AND accounts.state = $4::VARCHAR AND accounts.id != $5::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $6::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $7::UUID)) AND (accounts.searchable OR accounts.username = $8::VARCHAR AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $9::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $10::UUID) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted))) ORDER BY search_words.word, search_words.account
 LIMIT $11::INTEGER

-- statement: sqlite
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= ? AND search_words.word < ? AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= ? AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= ? AND further_0.word < ?)) AND search_words.word >= ? AND (search_words.word > ? OR search_words.account > ?) AND accounts.state = ? AND accounts.id != ? AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = ?)) AND (accounts.searchable = 1 OR accounts.username = ? AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = ? UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = ?) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted = 1))) ORDER BY search_words.word, search_words.account
 LIMIT ? OFFSET ?

-- statement: postgresql
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR COLLATE "C" AND search_words.word < $2::VARCHAR COLLATE "C" AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR COLLATE "C" AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= $4::VARCHAR COLLATE "C" AND further_0.word < $5::VARCHAR COLLATE "C")) AND search_words.word >= $6::VARCHAR COLLATE "C" AND (search_words.word > $7::VARCHAR COLLATE "C" OR search_words.account > $8::UUID) AND accounts.state = $9::VARCHAR COLLATE "C" AND accounts.id != $10::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $11::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $12::UUID)) AND (accounts.searchable OR accounts.username = $13::VARCHAR COLLATE "C" AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $14::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $15::UUID) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted))) ORDER BY search_words.word, search_words.account
 LIMIT $16::INTEGER

-- statement: cockroachdb
SELECT search_words.word AS found_by, accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM search_words JOIN accounts ON accounts.id = search_words.account
WHERE search_words.word >= $1::VARCHAR AND search_words.word < $2::VARCHAR AND NOT (EXISTS (SELECT *
FROM search_words AS earlier
WHERE earlier.account = search_words.account AND earlier.word >= $3::VARCHAR AND earlier.word < search_words.word)) AND (EXISTS (SELECT *
FROM search_words AS further_0
WHERE further_0.account = search_words.account AND further_0.word >= $4::VARCHAR AND further_0.word < $5::VARCHAR)) AND search_words.word >= $6::VARCHAR AND (search_words.word > $7::VARCHAR OR search_words.account > $8::UUID) AND accounts.state = $9::VARCHAR AND accounts.id != $10::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $11::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $12::UUID)) AND (accounts.searchable OR accounts.username = $13::VARCHAR AND (EXISTS (SELECT *
FROM (SELECT friendships.high AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.low = $14::UUID UNION ALL SELECT friendships.low AS other, friendships.asker AS asker, friendships.accepted AS accepted, friendships.since AS since
FROM friendships
WHERE friendships.high = $15::UUID) AS befriended
WHERE befriended.other = accounts.id AND befriended.accepted))) ORDER BY search_words.word, search_words.account
 LIMIT $16::INTEGER

-- statement: sqlite
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = ? AND (accounts.email_verified_at IS NOT NULL OR accounts.created_at > ?) AND accounts.searchable = 1 AND accounts.state = ? AND accounts.id != ? AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = ? AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = ?))

-- statement: postgresql
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = $1::VARCHAR COLLATE "C" AND (accounts.email_verified_at IS NOT NULL OR accounts.created_at > $2::BIGINT) AND accounts.searchable AND accounts.state = $3::VARCHAR COLLATE "C" AND accounts.id != $4::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $5::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $6::UUID))

-- statement: cockroachdb
SELECT accounts.id, accounts.email, accounts.username, accounts.skeleton, accounts.display_name, accounts.password_hash, accounts.created_at, accounts.password_changed_at, accounts.email_verified_at, accounts.roles, accounts.state, accounts.searchable, accounts.avatar, accounts.status_text, accounts.visibility
FROM accounts
WHERE accounts.email = $1::VARCHAR AND (accounts.email_verified_at IS NOT NULL OR accounts.created_at > $2::BIGINT) AND accounts.searchable AND accounts.state = $3::VARCHAR AND accounts.id != $4::UUID AND NOT (EXISTS (SELECT *
FROM blocks AS block
WHERE block.blocker = $5::UUID AND block.blocked = accounts.id OR block.blocker = accounts.id AND block.blocked = $6::UUID))

