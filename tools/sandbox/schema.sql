-- The sandbox company's own database. Money is a bigint of minor units and a currency; every time has a zone.
-- Composite foreign keys make it impossible for a payment, its order and its customer not to belong together.

CREATE SEQUENCE refund_numbers START 1000001;
CREATE SEQUENCE reply_numbers START 1000001;

CREATE TABLE customers (
    customer_id text PRIMARY KEY CHECK (customer_id ~ '^C-[0-9]{5}$'),
    name text NOT NULL CHECK (name <> ''),
    email text NOT NULL CHECK (email ~ '@example\.(com|org|net)$'),
    tier text NOT NULL CHECK (tier IN ('standard', 'silver', 'gold')),
    status text NOT NULL CHECK (status IN ('active', 'closed')),
    country char(2) NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    created_at timestamptz NOT NULL
);

CREATE TABLE orders (
    order_id text PRIMARY KEY CHECK (order_id ~ '^O-[0-9]{6}$'),
    customer_id text NOT NULL REFERENCES customers,
    status text NOT NULL CHECK (status IN ('placed', 'shipped', 'delivered', 'cancelled')),
    currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    ordered_at timestamptz NOT NULL,
    delivered_at timestamptz CHECK (delivered_at >= ordered_at),
    CONSTRAINT orders_delivered_says_when CHECK ((status = 'delivered') = (delivered_at IS NOT NULL)),
    UNIQUE (order_id, customer_id, currency)
);
CREATE INDEX ON orders (customer_id);

CREATE TABLE order_lines (
    order_id text NOT NULL REFERENCES orders,
    line_no smallint NOT NULL CHECK (line_no > 0),
    sku text NOT NULL,
    title text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_minor bigint NOT NULL CHECK (unit_minor > 0),
    PRIMARY KEY (order_id, line_no)
);

CREATE TABLE payments (
    payment_id text PRIMARY KEY CHECK (payment_id ~ '^P-[0-9]{6}$'),
    order_id text NOT NULL,
    customer_id text NOT NULL,
    method text NOT NULL CHECK (method IN ('card', 'paypal', 'bank_transfer')),
    card_last4 text CHECK (card_last4 ~ '^[0-9]{4}$'),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    status text NOT NULL CHECK (status IN ('captured', 'voided')),
    captured_at timestamptz NOT NULL,
    refunded_minor bigint NOT NULL DEFAULT 0,
    CONSTRAINT payments_refunded_within_captured CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT payments_voided_has_no_refund CHECK (status = 'captured' OR refunded_minor = 0),
    CONSTRAINT payments_card_has_digits CHECK ((method = 'card') = (card_last4 IS NOT NULL)),
    FOREIGN KEY (order_id, customer_id, currency) REFERENCES orders (order_id, customer_id, currency),
    UNIQUE (payment_id, order_id, customer_id, currency)
);
CREATE INDEX ON payments (order_id);

CREATE TABLE refunds (
    refund_id text PRIMARY KEY DEFAULT 'R-' || nextval('refund_numbers') CHECK (refund_id ~ '^R-[0-9]{6,12}$'),
    payment_id text NOT NULL,
    order_id text NOT NULL,
    customer_id text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency char(3) NOT NULL,
    reason_code text NOT NULL CHECK (reason_code ~ '^[a-z_]{1,40}$'),
    status text NOT NULL CHECK (status IN ('done', 'reversed')),
    created_at timestamptz NOT NULL,
    reversed_at timestamptz CHECK (reversed_at >= created_at),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    reversal_key text UNIQUE CHECK (length(reversal_key) BETWEEN 1 AND 200),
    CONSTRAINT refunds_reversed_says_when CHECK ((status = 'reversed') = (reversed_at IS NOT NULL)),
    CONSTRAINT refunds_reversed_has_key CHECK ((status = 'reversed') = (reversal_key IS NOT NULL)),
    FOREIGN KEY (payment_id, order_id, customer_id, currency)
        REFERENCES payments (payment_id, order_id, customer_id, currency)
);
CREATE INDEX ON refunds (payment_id);
CREATE INDEX ON refunds (order_id);
CREATE INDEX ON refunds (customer_id, created_at);

CREATE TABLE fraud_signals (
    signal_id text PRIMARY KEY CHECK (signal_id ~ '^F-[0-9]{5}$'),
    customer_id text REFERENCES customers,
    order_id text REFERENCES orders,
    kind text NOT NULL,
    score smallint NOT NULL CHECK (score BETWEEN 0 AND 100),
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz CHECK (cleared_at >= raised_at),
    CONSTRAINT fraud_signals_about_something CHECK (customer_id IS NOT NULL OR order_id IS NOT NULL)
);
CREATE INDEX ON fraud_signals (customer_id);
CREATE INDEX ON fraud_signals (order_id);

-- A ticket's order is what the customer claims: it may be somebody else's.
CREATE TABLE tickets (
    ticket_id text PRIMARY KEY CHECK (ticket_id ~ '^T-[0-9]{6}$'),
    customer_id text NOT NULL REFERENCES customers,
    order_id text REFERENCES orders,
    subject text NOT NULL,
    body text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'pending', 'closed')),
    created_at timestamptz NOT NULL,
    UNIQUE (ticket_id, customer_id)
);
CREATE INDEX ON tickets (customer_id);

-- A held outbox: what is queued leaves the house at send_after, unless it was retracted.
CREATE TABLE ticket_replies (
    reply_id text PRIMARY KEY DEFAULT 'Y-' || nextval('reply_numbers') CHECK (reply_id ~ '^Y-[0-9]{6,12}$'),
    ticket_id text NOT NULL,
    customer_id text NOT NULL,
    template text NOT NULL CHECK (template ~ '^[a-z][a-z0-9_.]{0,63}$'),
    body text NOT NULL CHECK (length(body) BETWEEN 1 AND 4000),
    status text NOT NULL CHECK (status IN ('queued', 'retracted')),
    created_at timestamptz NOT NULL,
    send_after timestamptz NOT NULL CHECK (send_after >= created_at),
    idempotency_key text NOT NULL UNIQUE CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    retraction_key text UNIQUE CHECK (length(retraction_key) BETWEEN 1 AND 200),
    CONSTRAINT ticket_replies_retracted_has_key CHECK ((status = 'retracted') = (retraction_key IS NOT NULL)),
    FOREIGN KEY (ticket_id, customer_id) REFERENCES tickets (ticket_id, customer_id)
);
CREATE INDEX ON ticket_replies (ticket_id);
