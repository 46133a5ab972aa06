-- The sales team's CRM, the register of companies that it buys, and the news. A field's version is never used twice.

CREATE SEQUENCE crm_versions START 1000001;

CREATE TABLE crm_accounts (
    account_id text PRIMARY KEY CHECK (account_id ~ '^A-[0-9]{5}$'),
    name text NOT NULL CHECK (name <> ''),
    register_no text NOT NULL CHECK (register_no ~ '^HR-[0-9]{6}$'),
    status text NOT NULL CHECK (status IN ('active', 'closed', 'merged')),
    merged_into text REFERENCES crm_accounts,
    description text NOT NULL,
    CONSTRAINT crm_merged_says_where CHECK ((status = 'merged') = (merged_into IS NOT NULL))
);

-- Every field that can be set has a row, who set it last and when; an empty one holds no value.
CREATE TABLE crm_fields (
    account_id text NOT NULL REFERENCES crm_accounts,
    field text NOT NULL CHECK (field IN ('industry', 'employees_band', 'headquarters_country', 'segment', 'website')),
    value text CHECK (length(value) BETWEEN 1 AND 253),
    set_by text NOT NULL CHECK (set_by ~ '^(import|countersign|person:[a-z]+)$'),
    set_at timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT nextval('crm_versions'),
    PRIMARY KEY (account_id, field)
);

-- What we have set, with what it was before: the restored value is the earlier one, set by whoever had set it.
CREATE TABLE crm_changes (
    version bigint PRIMARY KEY,
    account_id text NOT NULL,
    field text NOT NULL,
    value text NOT NULL,
    expected_version bigint NOT NULL,
    earlier_value text,
    earlier_set_by text NOT NULL,
    earlier_set_at timestamptz NOT NULL,
    set_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('done', 'restored')),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    restoring_key text UNIQUE CHECK (length(restoring_key) BETWEEN 1 AND 200),
    CONSTRAINT crm_restored_has_key CHECK ((status = 'restored') = (restoring_key IS NOT NULL)),
    FOREIGN KEY (account_id, field) REFERENCES crm_fields (account_id, field)
);

CREATE TABLE crm_relations (
    relation_id text PRIMARY KEY CHECK (relation_id ~ '^L-[0-9]{5}$'),
    account_id text NOT NULL REFERENCES crm_accounts,
    kind text NOT NULL CHECK (kind IN ('parent', 'contract', 'opportunity')),
    other_account_id text REFERENCES crm_accounts CHECK (other_account_id <> account_id),
    stage text NOT NULL CHECK (stage IN ('active', 'ended', 'open', 'won', 'lost')),
    since date NOT NULL,
    CONSTRAINT crm_parent_says_who CHECK ((kind = 'parent') = (other_account_id IS NOT NULL))
);
CREATE INDEX ON crm_relations (account_id);

CREATE TABLE firmographics (
    register_no text PRIMARY KEY CHECK (register_no ~ '^HR-[0-9]{6}$'),
    legal_name text NOT NULL,
    industry text,
    employees integer CHECK (employees > 0),
    country char(2),
    website text,
    about text NOT NULL
);

CREATE TABLE company_news (
    item_id text PRIMARY KEY CHECK (item_id ~ '^N-[0-9]{5}$'),
    company_name text NOT NULL,
    outlet text NOT NULL,
    published_on date NOT NULL,
    body text NOT NULL
);
CREATE INDEX ON company_news (company_name);
