-- Which products are the same shoe (shoes.py), and which pictures the same picture (likeness.py).
ALTER TABLE product ADD COLUMN name TEXT;     -- brand and title as they are compared; NULL until they are, '' for never
ALTER TABLE product ADD COLUMN shoe INTEGER;  -- one of the products that are this shoe, the same for all; NULL for a single one
ALTER TABLE photo ADD COLUMN signature BLOB;  -- NULL until it is needed, where an earlier version kept the photo
CREATE INDEX product_style ON product (brand, style);
CREATE INDEX product_name ON product (name);
CREATE INDEX product_shoe ON product (shoe);
CREATE TRIGGER product_renamed AFTER UPDATE OF brand, title ON product
WHEN old.brand IS NOT new.brand OR old.title IS NOT new.title
BEGIN UPDATE product SET name = NULL WHERE id = new.id; END;
