-- A second company: a shop that sells a thing at a time. Money is a bigint of US cents; addresses are six fields.

CREATE SEQUENCE deed_numbers START 1000001;

CREATE TABLE variants (
    item_id text PRIMARY KEY,
    product_id text NOT NULL,
    product text NOT NULL,
    options jsonb NOT NULL,
    available boolean NOT NULL,
    price_minor bigint NOT NULL CHECK (price_minor > 0)
);

CREATE TABLE shoppers (
    customer_id text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    address1 text NOT NULL, address2 text NOT NULL, city text NOT NULL,
    state text NOT NULL, country text NOT NULL, zip text NOT NULL
);

CREATE TABLE methods (
    customer_id text NOT NULL REFERENCES shoppers,
    method_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('credit_card', 'paypal', 'gift_card')),
    balance_minor bigint CHECK (balance_minor >= 0),
    CONSTRAINT methods_gift_card_has_balance CHECK ((kind = 'gift_card') = (balance_minor IS NOT NULL))
);
CREATE INDEX ON methods (customer_id);

CREATE TABLE sales (
    order_id text PRIMARY KEY,
    customer_id text NOT NULL REFERENCES shoppers,
    status text NOT NULL CHECK (status IN ('pending', 'pending (item modified)', 'processed', 'delivered',
        'cancelled', 'return requested', 'exchange requested')),
    address1 text NOT NULL, address2 text NOT NULL, city text NOT NULL,
    state text NOT NULL, country text NOT NULL, zip text NOT NULL,
    reason text
);
CREATE INDEX ON sales (customer_id);

CREATE TABLE sale_items (
    order_id text NOT NULL REFERENCES sales,
    line_no smallint NOT NULL,
    item_id text NOT NULL REFERENCES variants,
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    wish text CHECK (wish IN ('return', 'exchange')),
    wished_item_id text REFERENCES variants,
    method_id text REFERENCES methods,
    PRIMARY KEY (order_id, line_no)
);

CREATE TABLE sale_payments (
    order_id text NOT NULL REFERENCES sales,
    line_no smallint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    method_id text NOT NULL REFERENCES methods,
    PRIMARY KEY (order_id, line_no)
);

-- What the shop's tools have done: by key, so that once is enough, and with what it takes to go back.
CREATE TABLE deeds (
    deed_id text PRIMARY KEY,
    tool text NOT NULL,
    key text NOT NULL,
    customer_id text NOT NULL REFERENCES shoppers,
    order_id text REFERENCES sales,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    arguments jsonb NOT NULL,
    receipt jsonb NOT NULL,
    done_at timestamptz NOT NULL,
    taken_back_at timestamptz,
    UNIQUE (tool, key)
);
CREATE INDEX ON deeds (customer_id, done_at);
