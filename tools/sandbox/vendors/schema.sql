-- The vendor register: who applies, with which documents, who has said what, and which accounts are endorsed.

CREATE SEQUENCE vendor_document_numbers START 1000001;
CREATE SEQUENCE vendor_account_numbers START 1000001;
CREATE SEQUENCE vendor_clearance_numbers START 1000001;
CREATE SEQUENCE vendor_activation_numbers START 1000001;
CREATE SEQUENCE vendor_message_numbers START 1000001;

CREATE TABLE vendors (
    vendor_id text PRIMARY KEY CHECK (vendor_id ~ '^V-[0-9]{5}$'),
    legal_name text NOT NULL CHECK (legal_name <> ''),
    kind text NOT NULL CHECK (kind IN ('goods', 'services', 'logistics')),
    country char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    contact_email text NOT NULL CHECK (contact_email ~ '@example\.(com|org|net)$'),
    status text NOT NULL CHECK (status IN ('applied', 'active', 'suspended')),
    applied_at timestamptz NOT NULL
);

CREATE TABLE vendor_documents (
    document_id text PRIMARY KEY DEFAULT 'D-' || nextval('vendor_document_numbers')
        CHECK (document_id ~ '^D-[0-9]{5,12}$'),
    vendor_id text NOT NULL REFERENCES vendors,
    kind text NOT NULL CHECK (kind IN ('registration', 'bank_letter', 'insurance_certificate')),
    file_name text NOT NULL CHECK (file_name ~ '^[A-Za-z0-9._ -]{1,100}$'),
    content_type text NOT NULL CHECK (content_type ~ '^[a-z]+/[a-z0-9.+-]+$'),
    content bytea NOT NULL CHECK (length(content) <= 10000000),
    sha256 text NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT vendor_documents_digest_fits CHECK (sha256 = encode(sha256(content), 'hex'))
);
CREATE INDEX ON vendor_documents (vendor_id);

CREATE TABLE vendor_requirements (
    kind text NOT NULL,
    country char(2) NOT NULL,
    item text NOT NULL CHECK (item ~ '^(document|field):[a-z_]{1,40}$'),
    PRIMARY KEY (kind, country, item)
);

-- A list of names that nobody here does business with; an alias is a name like any other.
CREATE TABLE watch_list (
    entry_id text PRIMARY KEY CHECK (entry_id ~ '^W-[0-9]{4}$'),
    source text NOT NULL CHECK (source IN ('sanctions', 'watch')),
    names text[] NOT NULL CHECK (cardinality(names) > 0),
    countries text[] NOT NULL
);

CREATE TABLE vendor_accounts (
    account_id text PRIMARY KEY DEFAULT 'A-' || nextval('vendor_account_numbers')
        CHECK (account_id ~ '^A-[0-9]{5,12}$'),
    vendor_id text NOT NULL REFERENCES vendors,
    iban text NOT NULL CHECK (iban ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'),
    document_id text NOT NULL,
    page integer NOT NULL CHECK (page > 0),
    quote text NOT NULL,
    status text NOT NULL CHECK (status IN ('endorsed', 'revoked')),
    created_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT vendor_accounts_revoked_has_key CHECK ((status = 'revoked') = (undo_key IS NOT NULL))
);
CREATE INDEX ON vendor_accounts (vendor_id);
CREATE UNIQUE INDEX vendor_accounts_one_vendor_an_iban ON vendor_accounts (iban) WHERE status = 'endorsed';

CREATE TABLE vendor_clearances (
    clearance_id text PRIMARY KEY DEFAULT 'L-' || nextval('vendor_clearance_numbers')
        CHECK (clearance_id ~ '^L-[0-9]{5,12}$'),
    vendor_id text NOT NULL REFERENCES vendors,
    department text NOT NULL CHECK (department IN ('legal', 'finance', 'procurement')),
    dossier text NOT NULL CHECK (dossier ~ '^[0-9a-f]{64}$'),
    status text NOT NULL CHECK (status IN ('cleared', 'withdrawn')),
    created_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT vendor_clearances_withdrawn_has_key CHECK ((status = 'withdrawn') = (undo_key IS NOT NULL))
);
CREATE INDEX ON vendor_clearances (vendor_id);

CREATE TABLE vendor_activations (
    activation_id text PRIMARY KEY DEFAULT 'N-' || nextval('vendor_activation_numbers')
        CHECK (activation_id ~ '^N-[0-9]{5,12}$'),
    vendor_id text NOT NULL REFERENCES vendors,
    account_id text NOT NULL REFERENCES vendor_accounts,
    status text NOT NULL CHECK (status IN ('active', 'ended')),
    created_at timestamptz NOT NULL,
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT vendor_activations_ended_has_key CHECK ((status = 'ended') = (undo_key IS NOT NULL))
);
CREATE UNIQUE INDEX vendor_activations_one_at_a_time ON vendor_activations (vendor_id) WHERE status = 'active';

-- A held outbox: what is queued leaves the house at send_after, unless it was retracted.
CREATE TABLE vendor_messages (
    message_id text PRIMARY KEY DEFAULT 'M-' || nextval('vendor_message_numbers')
        CHECK (message_id ~ '^M-[0-9]{5,12}$'),
    vendor_id text NOT NULL REFERENCES vendors,
    template text NOT NULL CHECK (template ~ '^[a-z][a-z0-9_.]{0,63}$'),
    items text[] NOT NULL CHECK (cardinality(items) > 0),
    turn integer NOT NULL CHECK (turn > 0),
    body text NOT NULL CHECK (length(body) BETWEEN 1 AND 4000),
    status text NOT NULL CHECK (status IN ('queued', 'retracted')),
    created_at timestamptz NOT NULL,
    send_after timestamptz NOT NULL CHECK (send_after >= created_at),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    undo_key text UNIQUE CHECK (length(undo_key) BETWEEN 1 AND 200),
    CONSTRAINT vendor_messages_retracted_has_key CHECK ((status = 'retracted') = (undo_key IS NOT NULL))
);
CREATE INDEX ON vendor_messages (vendor_id);
