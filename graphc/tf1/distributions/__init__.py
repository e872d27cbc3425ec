"""tf.distributions and tf.contrib.distributions: the classes, in modules by kind."""
