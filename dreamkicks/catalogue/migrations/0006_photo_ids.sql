-- No id is given twice, as SQLite would give a deleted photo's to the next: vectors are kept by it. All get new ones, because
-- what was mixed up before can't be told, beyond those of any vector; the next search indexes them.
CREATE TABLE photo_of_product (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product INTEGER NOT NULL REFERENCES product (id) ON DELETE CASCADE,
    source TEXT NOT NULL,                    -- SHA-256 of the pixels that came in
    hash TEXT NOT NULL,                      -- SHA-256 of the file that is kept, and its name
    address TEXT,                            -- where a shop has it
    signature BLOB,                          -- what it is compared by (likeness.py); NULL until it is needed
    view TEXT,                               -- what it shows (brands/classifier.py); NULL until the built-in encoder has seen it
    UNIQUE (product, source)
);
INSERT INTO photo_of_product (id, product, source, hash, address, signature)
SELECT id + 1000000000, product, source, hash, address, signature FROM photo ORDER BY id;
DROP TABLE photo;
ALTER TABLE photo_of_product RENAME TO photo;
CREATE INDEX photo_source ON photo (source);
