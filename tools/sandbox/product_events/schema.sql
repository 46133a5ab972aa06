-- What carriers and devices report of orders. The feed is not the order system: it may be late, double or wrong.

CREATE TABLE product_events (
    event_id text PRIMARY KEY CHECK (event_id ~ '^E-[0-9]{6}$'),
    customer_id text NOT NULL REFERENCES customers,
    order_id text NOT NULL REFERENCES orders,
    kind text NOT NULL CHECK (kind IN ('dispatched', 'delayed', 'delivered', 'damaged', 'lost', 'fault')),
    happened_at timestamptz NOT NULL,
    expected_at timestamptz CHECK (expected_at >= happened_at),
    note text NOT NULL DEFAULT '',
    CONSTRAINT product_events_only_delays_expect CHECK (kind = 'delayed' OR expected_at IS NULL)
);
CREATE INDEX ON product_events (customer_id, happened_at);
