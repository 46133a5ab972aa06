-- Operations: services, alerts, logs, deployments, incidents and what is done about them.
-- What is done stays as a row, with the key it was done under and the key it was taken back under.

CREATE SEQUENCE incident_numbers START 1000001;
CREATE SEQUENCE incident_deed_numbers START 1000001;
CREATE SEQUENCE page_numbers START 1000001;
CREATE SEQUENCE followup_numbers START 1000001;
CREATE SEQUENCE action_numbers START 1000001;

-- Whom to call is a rotation, never a person; a service that nobody is on call for has none.
CREATE TABLE services (
    service_id text PRIMARY KEY CHECK (service_id ~ '^[a-z][a-z0-9-]{2,39}$'),
    tier smallint NOT NULL CHECK (tier BETWEEN 1 AND 3),
    team text NOT NULL CHECK (team ~ '^team_[a-z]{2,30}$'),
    on_call text CHECK (on_call ~ '^rota-[a-z-]{2,50}$'),
    second_on_call text CHECK (second_on_call ~ '^rota-[a-z-]{2,50}$'),
    version text NOT NULL CHECK (version ~ '^[0-9]+\.[0-9]+\.[0-9]+$')
);

CREATE TABLE alerts (
    alert_id text PRIMARY KEY CHECK (alert_id ~ '^AL-[0-9]{6}$'),
    service_id text NOT NULL REFERENCES services,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    summary text NOT NULL CHECK (length(summary) <= 2000),
    customer_impact text NOT NULL CHECK (customer_impact IN ('none', 'degraded', 'outage')),
    status text NOT NULL CHECK (status IN ('firing', 'resolved')),
    firings_24h integer NOT NULL CHECK (firings_24h >= 1),
    fired_at timestamptz NOT NULL,
    resolved_at timestamptz CHECK (resolved_at >= fired_at),
    clearing_key text UNIQUE CHECK (length(clearing_key) BETWEEN 1 AND 200),
    CONSTRAINT alerts_resolved_says_when CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    UNIQUE (alert_id, service_id)
);
CREATE INDEX ON alerts (service_id, fired_at);

-- A chunk of a service's log. Whoever names it by its digest means exactly this text.
CREATE TABLE log_chunks (
    log_id text PRIMARY KEY CHECK (log_id ~ '^LG-[0-9]{6}$'),
    service_id text NOT NULL REFERENCES services,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at >= starts_at),
    line_count integer NOT NULL CHECK (line_count >= 0),
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    body text NOT NULL,
    CONSTRAINT log_chunks_size_is_true CHECK (size_bytes = octet_length(body)),
    CONSTRAINT log_chunks_digest_is_true CHECK (sha256 = encode(sha256(convert_to(body, 'UTF8')), 'hex'))
);
CREATE INDEX ON log_chunks (service_id, starts_at);

CREATE TABLE deployments (
    deployment_id text PRIMARY KEY CHECK (deployment_id ~ '^D-[0-9]{6}$'),
    service_id text NOT NULL REFERENCES services,
    version text NOT NULL,
    previous_version text,
    change text NOT NULL,
    status text NOT NULL CHECK (status IN ('live', 'superseded', 'rolled_back')),
    deployed_at timestamptz NOT NULL,
    deployed_by text NOT NULL,
    UNIQUE (deployment_id, service_id)
);
CREATE INDEX ON deployments (service_id, deployed_at);
CREATE UNIQUE INDEX deployments_one_is_live ON deployments (service_id) WHERE status = 'live';

CREATE TABLE incidents (
    incident_id text PRIMARY KEY DEFAULT 'INC-' || nextval('incident_numbers')
        CHECK (incident_id ~ '^INC-[0-9]{6,12}$'),
    service_id text NOT NULL REFERENCES services,
    alert_id text,
    severity text NOT NULL CHECK (severity ~ '^SEV[1-4]$'),
    status text NOT NULL CHECK (status IN ('open', 'resolved', 'withdrawn')),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    summary text NOT NULL DEFAULT '',
    cause text CHECK (cause ~ '^[a-z_]{1,40}$'),
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz CHECK (resolved_at >= opened_at),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    withdrawal_key text UNIQUE CHECK (length(withdrawal_key) BETWEEN 1 AND 200),
    document tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A')
        || setweight(to_tsvector('english', summary), 'B')
        || setweight(to_tsvector('english', replace(coalesce(cause, ''), '_', ' ')), 'C')
    ) STORED,
    CONSTRAINT incidents_resolved_says_when CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    CONSTRAINT incidents_withdrawn_has_key CHECK ((status = 'withdrawn') = (withdrawal_key IS NOT NULL)),
    FOREIGN KEY (alert_id, service_id) REFERENCES alerts (alert_id, service_id),
    UNIQUE (incident_id, service_id)
);
CREATE INDEX incidents_by_words ON incidents USING gin (document);
CREATE INDEX ON incidents (service_id, opened_at);
CREATE UNIQUE INDEX incidents_one_is_open ON incidents (service_id) WHERE status = 'open';
CREATE UNIQUE INDEX incidents_one_an_alert ON incidents (alert_id) WHERE status <> 'withdrawn';

-- What was done to an incident: an alert joined to it, another severity, its end.
CREATE TABLE incident_deeds (
    deed_id text PRIMARY KEY DEFAULT 'IN-' || nextval('incident_deed_numbers')
        CHECK (deed_id ~ '^IN-[0-9]{6,12}$'),
    kind text NOT NULL CHECK (kind IN ('joined', 'graded', 'resolved')),
    incident_id text NOT NULL,
    service_id text NOT NULL,
    alert_id text,
    severity text CHECK (severity ~ '^SEV[1-4]$'),
    severity_before text CHECK (severity_before ~ '^SEV[1-4]$'),
    cause text CHECK (cause ~ '^[a-z_]{1,40}$'),
    status text NOT NULL CHECK (status IN ('stands', 'taken_back')),
    done_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT incident_deeds_taken_back_has_key CHECK ((status = 'taken_back') = (undo_key IS NOT NULL)),
    CONSTRAINT incident_deeds_say_what CHECK (
        (kind = 'joined') = (alert_id IS NOT NULL)
        AND (kind = 'graded') = (severity IS NOT NULL AND severity_before IS NOT NULL)
        AND (kind = 'resolved') = (cause IS NOT NULL)
    ),
    FOREIGN KEY (incident_id, service_id) REFERENCES incidents (incident_id, service_id),
    FOREIGN KEY (alert_id, service_id) REFERENCES alerts (alert_id, service_id)
);
CREATE INDEX ON incident_deeds (incident_id);
CREATE UNIQUE INDEX incident_deeds_one_join ON incident_deeds (alert_id) WHERE status = 'stands';

CREATE TABLE incident_pages (
    page_id text PRIMARY KEY DEFAULT 'PG-' || nextval('page_numbers') CHECK (page_id ~ '^PG-[0-9]{6,12}$'),
    incident_id text NOT NULL,
    service_id text NOT NULL,
    target text NOT NULL CHECK (target ~ '^rota-[a-z-]{2,50}$'),
    urgency text NOT NULL CHECK (urgency IN ('phone', 'push')),
    sent_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    FOREIGN KEY (incident_id, service_id) REFERENCES incidents (incident_id, service_id)
);
CREATE INDEX ON incident_pages (incident_id);

CREATE TABLE followup_tasks (
    task_id text PRIMARY KEY DEFAULT 'FT-' || nextval('followup_numbers')
        CHECK (task_id ~ '^FT-[0-9]{6,12}$'),
    incident_id text NOT NULL REFERENCES incidents,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    team text NOT NULL CHECK (team ~ '^team_[a-z]{2,30}$'),
    due_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'done', 'withdrawn')),
    created_at timestamptz NOT NULL,
    done_at timestamptz CHECK (done_at >= created_at),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    withdrawal_key text UNIQUE CHECK (length(withdrawal_key) BETWEEN 1 AND 200),
    completion_key text UNIQUE CHECK (length(completion_key) BETWEEN 1 AND 200),
    CONSTRAINT followup_tasks_done_says_when CHECK ((status = 'done') = (done_at IS NOT NULL)),
    CONSTRAINT followup_tasks_withdrawn_has_key CHECK ((status = 'withdrawn') = (withdrawal_key IS NOT NULL))
);
CREATE UNIQUE INDEX followup_tasks_one_a_kind ON followup_tasks (incident_id, kind)
    WHERE status <> 'withdrawn';

-- What was done in production. A restart names no versions: it changes none.
CREATE TABLE service_actions (
    action_id text PRIMARY KEY DEFAULT 'SA-' || nextval('action_numbers')
        CHECK (action_id ~ '^SA-[0-9]{6,12}$'),
    kind text NOT NULL CHECK (kind IN ('restart', 'rollback')),
    service_id text NOT NULL,
    incident_id text NOT NULL,
    deployment_id text,
    from_version text,
    to_version text,
    status text NOT NULL CHECK (status IN ('stands', 'taken_back')),
    done_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT service_actions_taken_back_has_key CHECK ((status = 'taken_back') = (undo_key IS NOT NULL)),
    CONSTRAINT service_actions_say_what CHECK (
        (kind = 'rollback') = (deployment_id IS NOT NULL AND from_version IS NOT NULL AND to_version IS NOT NULL)
    ),
    FOREIGN KEY (incident_id, service_id) REFERENCES incidents (incident_id, service_id),
    FOREIGN KEY (deployment_id, service_id) REFERENCES deployments (deployment_id, service_id)
);
CREATE INDEX ON service_actions (service_id, done_at);
