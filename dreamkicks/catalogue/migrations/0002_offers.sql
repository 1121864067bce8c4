-- What shops say of a product beyond an import: its style code, its sizes, where each photo came from, what it cost when.
ALTER TABLE product ADD COLUMN style TEXT;   -- the maker's code, as GX9735
ALTER TABLE product ADD COLUMN sizes TEXT;   -- JSON: [["EU 42", true], ...], true where it can be bought
-- Two shops may sell by the same picture, so a picture is unique to its product only.
CREATE TABLE photo_of_product (
    id INTEGER PRIMARY KEY,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    source TEXT NOT NULL,                    -- SHA-256 of the pixels that came in
    hash TEXT NOT NULL,                      -- SHA-256 of the file that is kept, and its name
    address TEXT,                            -- where a shop has it
    UNIQUE (product, source)
);
INSERT INTO photo_of_product (id, product, source, hash) SELECT id, product, source, hash FROM photo;
DROP TABLE photo;
ALTER TABLE photo_of_product RENAME TO photo;
CREATE INDEX photo_source ON photo (source);
CREATE TABLE price (
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    since TEXT NOT NULL,                     -- UTC
    price TEXT,
    currency TEXT
);
CREATE INDEX price_product ON price (product);
-- How each address of a shop was found last, whether a product came of it or not.
CREATE TABLE listing (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    stamp TEXT,                              -- when the shop says that it changed it last
    fingerprint TEXT NOT NULL,               -- of the offer, as the refresh compares it
    checked REAL NOT NULL,                   -- seconds of the epoch
    PRIMARY KEY (store, key)
) WITHOUT ROWID
