"""Programs in the manner of TF1 scripts; each module's main(tf) returns what it computed."""
