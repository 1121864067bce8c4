-- A shop's listing forgets what it does not list any more; its product does not.
ALTER TABLE product ADD COLUMN seen REAL;     -- seconds of the epoch: when it was last looked at in its shop, of what is not listed
