CREATE TABLE product (
    id INTEGER PRIMARY KEY,
    store TEXT NOT NULL,
    key TEXT NOT NULL,            -- what the store calls it; the photo's hash where there is no store
    brand TEXT NOT NULL,
    title TEXT NOT NULL,
    price TEXT,                   -- a decimal number
    currency TEXT,                -- ISO 4217
    url TEXT,
    available INTEGER NOT NULL DEFAULT 1,
    added TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (store, key)
);
CREATE INDEX product_brand ON product (brand COLLATE NOCASE);
CREATE TABLE photo (
    id INTEGER PRIMARY KEY,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    source TEXT NOT NULL UNIQUE,  -- SHA-256 of the pixels that came in
    hash TEXT NOT NULL            -- SHA-256 of the file that is kept, and its name
);
CREATE INDEX photo_product ON photo (product);
