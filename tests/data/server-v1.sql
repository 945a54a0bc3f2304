BEGIN TRANSACTION;
CREATE TABLE accounts (
	requester VARCHAR(64) NOT NULL, 
	available_cents BIGINT NOT NULL, 
	held_cents BIGINT NOT NULL, 
	paid_cents BIGINT NOT NULL, 
	fees_cents BIGINT NOT NULL, 
	deposited_cents BIGINT NOT NULL, 
	PRIMARY KEY (requester)
);
INSERT INTO "accounts" VALUES('default',999976,12,10,2,1000000);
CREATE TABLE assignments (
	sequence INTEGER NOT NULL, 
	assignment_id VARCHAR(64) NOT NULL, 
	hit_id VARCHAR(64) NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	accepted_at BIGINT NOT NULL, 
	deadline BIGINT NOT NULL, 
	submitted_at BIGINT, 
	auto_approval_at BIGINT, 
	approved_at BIGINT, 
	rejected_at BIGINT, 
	answer TEXT, 
	feedback TEXT, 
	due_at BIGINT, 
	PRIMARY KEY (sequence), 
	UNIQUE (assignment_id), 
	FOREIGN KEY(hit_id) REFERENCES hits (hit_id)
);
INSERT INTO "assignments" VALUES(1,'3SIRD16Q46TB729ULLOGXWXZA4CY1O','34BGS4U0NHA0QN3SJPRMVXZWMAIIZS','A1WORKER','Approved',1795326569,1795327169,1795326569,1797918569,1795326569,NULL,'<?xml version="1.0" encoding="ASCII"?><QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"><Answer><QuestionIdentifier>a</QuestionIdentifier><FreeText>hello</FreeText></Answer></QuestionFormAnswers>',NULL,NULL);
CREATE TABLE bonuses (
	sequence INTEGER NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	hit_id VARCHAR(64) NOT NULL, 
	assignment_id VARCHAR(64) NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	amount_cents BIGINT NOT NULL, 
	fee_cents BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	granted_at BIGINT NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(hit_id) REFERENCES hits (hit_id)
);
CREATE TABLE file_links (
	token VARCHAR(64) NOT NULL, 
	file_key VARCHAR(64) NOT NULL, 
	expires_at BIGINT NOT NULL, 
	PRIMARY KEY (token)
);
CREATE TABLE hit_type_requirements (
	hit_type_id VARCHAR(64) NOT NULL, 
	qualification_type_id VARCHAR(64) NOT NULL, 
	PRIMARY KEY (hit_type_id, qualification_type_id), 
	FOREIGN KEY(hit_type_id) REFERENCES hit_types (hit_type_id)
);
CREATE TABLE hit_types (
	hit_type_id VARCHAR(64) NOT NULL, 
	hit_group_id VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	title TEXT NOT NULL, 
	description TEXT NOT NULL, 
	keywords TEXT, 
	reward_cents BIGINT NOT NULL, 
	assignment_duration_seconds BIGINT NOT NULL, 
	auto_approval_delay_seconds BIGINT NOT NULL, 
	requirements TEXT NOT NULL, 
	deleted_at BIGINT, 
	PRIMARY KEY (hit_type_id), 
	UNIQUE (requester, fingerprint), 
	UNIQUE (hit_group_id)
);
INSERT INTO "hit_types" VALUES('3CD4KLRTZO7QKBDT7071705WQ0V0HM','3BLUV606BHBOENFEG054NSDBIO6KF8','default','838055f77f3304a180ee4c52c7c85ffd640e7604e69f3188378039cc17b30cbe',1795326569,'Say a word','One word',NULL,10,600,2592000,'[]',NULL);
CREATE TABLE hits (
	sequence INTEGER NOT NULL, 
	hit_id VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	hit_type_id VARCHAR(64) NOT NULL, 
	annotation TEXT, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	max_assignments BIGINT NOT NULL, 
	reward_cents BIGINT NOT NULL, 
	fee_cents BIGINT NOT NULL, 
	pending BIGINT NOT NULL, 
	submitted BIGINT NOT NULL, 
	approved BIGINT NOT NULL, 
	rejected BIGINT NOT NULL, 
	reviewing INTEGER NOT NULL, 
	reviewable_since BIGINT, 
	deleted_at BIGINT, 
	held_cents BIGINT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	due_at BIGINT, 
	PRIMARY KEY (sequence), 
	UNIQUE (hit_id), 
	FOREIGN KEY(hit_type_id) REFERENCES hit_types (hit_type_id)
);
INSERT INTO "hits" VALUES(1,'34BGS4U0NHA0QN3SJPRMVXZWMAIIZS','default','3CD4KLRTZO7QKBDT7071705WQ0V0HM',NULL,1795326569,1826862569,2,10,2,0,0,1,0,0,NULL,NULL,12,'Assignable',1826862569);
CREATE TABLE layouts (
	layout_id VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	page TEXT NOT NULL, 
	frame_height INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (layout_id)
);
CREATE TABLE ledger (
	sequence INTEGER NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	hit_id VARCHAR(64), 
	assignment_id VARCHAR(64), 
	available_cents BIGINT NOT NULL, 
	held_cents BIGINT NOT NULL, 
	paid_cents BIGINT NOT NULL, 
	fees_cents BIGINT NOT NULL, 
	PRIMARY KEY (sequence)
);
INSERT INTO "ledger" VALUES(1,'default',1795326569,'create','34BGS4U0NHA0QN3SJPRMVXZWMAIIZS',NULL,-24,24,0,0);
INSERT INTO "ledger" VALUES(2,'default',1795326569,'approve','34BGS4U0NHA0QN3SJPRMVXZWMAIIZS','3SIRD16Q46TB729ULLOGXWXZA4CY1O',0,-12,10,2);
CREATE TABLE messages (
	sequence INTEGER NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	at BIGINT NOT NULL, 
	subject TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (sequence)
);
CREATE TABLE notification_settings (
	hit_type_id VARCHAR(64) NOT NULL, 
	destination TEXT NOT NULL, 
	transport VARCHAR(16) NOT NULL, 
	version VARCHAR(16) NOT NULL, 
	event_types TEXT NOT NULL, 
	active INTEGER NOT NULL, 
	PRIMARY KEY (hit_type_id), 
	FOREIGN KEY(hit_type_id) REFERENCES hit_types (hit_type_id)
);
CREATE TABLE notifications (
	sequence INTEGER NOT NULL, 
	created_at BIGINT NOT NULL, 
	transport VARCHAR(16) NOT NULL, 
	destination TEXT NOT NULL, 
	body TEXT NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt_at BIGINT, 
	error TEXT, 
	PRIMARY KEY (sequence)
);
CREATE TABLE qualification_requests (
	sequence INTEGER NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	qualification_type_id VARCHAR(64) NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	asked_at BIGINT NOT NULL, 
	deadline BIGINT, 
	submitted_at BIGINT, 
	test TEXT, 
	answer_key TEXT, 
	answer TEXT, 
	PRIMARY KEY (sequence), 
	UNIQUE (request_id)
);
CREATE TABLE qualification_types (
	sequence INTEGER NOT NULL, 
	qualification_type_id VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	keywords TEXT, 
	status VARCHAR(16) NOT NULL, 
	test TEXT, 
	test_duration_seconds BIGINT, 
	answer_key TEXT, 
	retry_delay_seconds BIGINT, 
	auto_granted INTEGER NOT NULL, 
	auto_granted_value BIGINT NOT NULL, 
	deleted_at BIGINT, 
	PRIMARY KEY (sequence), 
	UNIQUE (qualification_type_id)
);
CREATE TABLE qualifications (
	sequence INTEGER NOT NULL, 
	qualification_type_id VARCHAR(64) NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	value BIGINT, 
	granted_at BIGINT NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (qualification_type_id, worker_id)
);
CREATE TABLE questions (
	hit_id VARCHAR(64) NOT NULL, 
	question TEXT NOT NULL, 
	layout_id VARCHAR(64), 
	PRIMARY KEY (hit_id), 
	FOREIGN KEY(hit_id) REFERENCES hits (hit_id)
);
INSERT INTO "questions" VALUES('34BGS4U0NHA0QN3SJPRMVXZWMAIIZS','<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><form><input name="a"></form>]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>',NULL);
CREATE TABLE request_tokens (
	requester VARCHAR(64) NOT NULL, 
	operation VARCHAR(64) NOT NULL, 
	token VARCHAR(64) NOT NULL, 
	used_at BIGINT NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	hit_id VARCHAR(64) NOT NULL, 
	PRIMARY KEY (requester, operation, token)
);
CREATE TABLE requester_keys (
	access_key VARCHAR(64) NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	secret VARCHAR(64) NOT NULL, 
	created_at BIGINT NOT NULL, 
	PRIMARY KEY (access_key)
);
INSERT INTO "requester_keys" VALUES('TURKH73ACZNL743WV67O','lab-a','Fo5tSZN5ew8RK_O4g2zjC-JK0dQCWcYiDd_mi9JF',1795326569);
CREATE TABLE review_policies (
	hit_id VARCHAR(64) NOT NULL, 
	level VARCHAR(16) NOT NULL, 
	policy TEXT NOT NULL, 
	PRIMARY KEY (hit_id, level), 
	FOREIGN KEY(hit_id) REFERENCES hits (hit_id)
);
CREATE TABLE review_records (
	sequence INTEGER NOT NULL, 
	hit_id VARCHAR(64) NOT NULL, 
	level VARCHAR(16) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	assignment_id VARCHAR(64), 
	at BIGINT NOT NULL, 
	record TEXT NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(hit_id) REFERENCES hits (hit_id)
);
CREATE TABLE settings (
	name VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "settings" VALUES('schema_version','1');
CREATE TABLE uploads (
	sequence INTEGER NOT NULL, 
	assignment_id VARCHAR(64) NOT NULL, 
	question_identifier TEXT NOT NULL, 
	file_key VARCHAR(64) NOT NULL, 
	file_name TEXT NOT NULL, 
	content BLOB NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (file_key)
);
CREATE TABLE worker_blocks (
	sequence INTEGER NOT NULL, 
	requester VARCHAR(64) NOT NULL, 
	worker_id VARCHAR(64) NOT NULL, 
	reason TEXT NOT NULL, 
	blocked_at BIGINT NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (requester, worker_id)
);
CREATE TABLE workers (
	worker_id VARCHAR(64) NOT NULL, 
	country VARCHAR(2), 
	subdivision VARCHAR(2), 
	masters INTEGER NOT NULL, 
	adult INTEGER NOT NULL, 
	approved_before BIGINT NOT NULL, 
	rejected_before BIGINT NOT NULL, 
	PRIMARY KEY (worker_id)
);
CREATE INDEX request_tokens_by_age ON request_tokens (used_at);
CREATE INDEX qualification_types_by_owner ON qualification_types (requester, name);
CREATE INDEX qualifications_by_worker ON qualifications (worker_id);
CREATE INDEX qualification_requests_by_worker ON qualification_requests (worker_id, qualification_type_id);
CREATE INDEX qualification_requests_by_type ON qualification_requests (qualification_type_id, state);
CREATE INDEX messages_by_worker ON messages (worker_id, sequence);
CREATE INDEX notifications_waiting ON notifications (next_attempt_at);
CREATE INDEX uploads_by_assignment ON uploads (assignment_id);
CREATE INDEX requirements_by_qualification ON hit_type_requirements (qualification_type_id);
CREATE INDEX hits_due ON hits (due_at);
CREATE INDEX hits_open ON hits (status, sequence);
CREATE INDEX hits_by_type ON hits (hit_type_id, status, sequence);
CREATE INDEX hits_listed ON hits (requester, sequence) WHERE deleted_at IS NULL;
CREATE INDEX hits_by_status ON hits (requester, status, sequence);
CREATE INDEX assignments_by_hit ON assignments (hit_id, submitted_at, sequence);
CREATE INDEX assignments_due ON assignments (due_at);
CREATE INDEX assignments_by_worker ON assignments (worker_id, sequence);
CREATE UNIQUE INDEX assignments_one_a_worker ON assignments (hit_id, worker_id) WHERE state IN ('Accepted', 'Submitted', 'Approved', 'Rejected');
CREATE INDEX bonuses_by_hit ON bonuses (hit_id, sequence);
CREATE INDEX bonuses_by_assignment ON bonuses (assignment_id, sequence);
CREATE INDEX review_records_by_hit ON review_records (hit_id, sequence);
COMMIT;
