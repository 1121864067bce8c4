-- What a photo shows (View of brands/classifier.py): a sneaker by itself, on a foot, or something else.
ALTER TABLE photo ADD COLUMN view TEXT;       -- NULL until the built-in encoder has seen it
