"""What keras.backend publishes: sessions, values, mathematics on tensors. Imports tf1 and ops."""
