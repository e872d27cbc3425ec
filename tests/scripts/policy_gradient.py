"""REINFORCE: log-probabilities of taken actions, advantages fed, gradients kept and applied."""

from __future__ import annotations

import numpy as np


class Agent:
    """Gradients are fetched per episode, summed outside, and applied through placeholders."""

    def __init__(self, tf, rng, lr=0.05, s_size=4, a_size=3, h_size=8):
        self.state_in = tf.placeholder(shape=[None, s_size], dtype=tf.float32)
        w1 = tf.Variable(rng.randn(s_size, h_size).astype(np.float32) * 0.3, name="w1")
        w2 = tf.Variable(rng.randn(h_size, a_size).astype(np.float32) * 0.3, name="w2")
        hidden = tf.nn.relu(tf.matmul(self.state_in, w1))
        self.output = tf.nn.softmax(tf.matmul(hidden, w2))
        self.chosen_action = tf.argmax(self.output, 1)
        self.reward_holder = tf.placeholder(shape=[None], dtype=tf.float32)
        self.action_holder = tf.placeholder(shape=[None], dtype=tf.int32)
        self.indexes = (
            tf.range(0, tf.shape(self.output)[0]) * tf.shape(self.output)[1] + self.action_holder
        )
        self.responsible_outputs = tf.gather(tf.reshape(self.output, [-1]), self.indexes)
        self.loss = -tf.reduce_mean(tf.log(self.responsible_outputs) * self.reward_holder)
        tvars = tf.trainable_variables()
        self.gradient_holders = []
        for idx, _ in enumerate(tvars):
            self.gradient_holders.append(tf.placeholder(tf.float32, name=str(idx) + "_holder"))
        self.gradients = tf.gradients(self.loss, tvars)
        optimizer = tf.train.AdamOptimizer(learning_rate=lr)
        self.update_batch = optimizer.apply_gradients(zip(self.gradient_holders, tvars))


def discount(r, gamma=0.99):
    out, running = np.zeros_like(r), 0
    for t in reversed(range(r.size)):
        running = running * gamma + r[t]
        out[t] = running
    return out


def main(tf):
    rng = np.random.RandomState(61)
    tf.reset_default_graph()
    agent = Agent(tf, rng)
    rewards = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        buffer = sess.run(tf.trainable_variables())
        for ix, grad in enumerate(buffer):
            buffer[ix] = grad * 0
        for episode in range(12):
            length = int(rng.randint(5, 15))
            states, actions, reward = [], [], []
            s = rng.randn(4)
            for _ in range(length):
                dist = sess.run(agent.output, feed_dict={agent.state_in: [s]})
                a = int(np.searchsorted(np.cumsum(dist[0]), rng.rand()))
                a = min(a, 2)
                states.append(s)
                actions.append(a)
                reward.append(float(a == np.argmax(s[:3])))
                s = rng.randn(4)
            feed = {
                agent.reward_holder: discount(np.array(reward)),
                agent.action_holder: actions,
                agent.state_in: np.vstack(states),
            }
            grads = sess.run(agent.gradients, feed_dict=feed)
            for idx, grad in enumerate(grads):
                buffer[idx] += grad
            if episode % 3 == 2:
                sess.run(agent.update_batch, dict(zip(agent.gradient_holders, buffer)))
                for ix, grad in enumerate(buffer):
                    buffer[ix] = grad * 0
            rewards.append(sum(reward))
        final = sess.run([agent.output, agent.chosen_action], {agent.state_in: np.eye(4)})
        single = sess.run(agent.responsible_outputs,
                          {agent.state_in: np.eye(4)[:2], agent.action_holder: [2, 0]})  # fmt: skip

    # the other school: one-hot masks, entropy bonus, sampling in the graph
    logits = tf.placeholder(tf.float32, [None, 3])
    actions = tf.placeholder(tf.int64, [None])
    p = tf.nn.softmax(logits)
    logp = tf.reduce_sum(tf.one_hot(actions, 3) * tf.nn.log_softmax(logits), axis=1)
    entropy = -tf.reduce_sum(p * tf.log(p + 1e-8), axis=-1)
    sample = tf.squeeze(tf.multinomial(logits, 1), axis=1)
    with tf.Session() as sess:
        feed = {logits: [[1.0, 2.0, 3.0], [100.0, 0.0, 0.0]], actions: [0, 1]}
        lp, ent, drawn = sess.run([logp, entropy, sample], feed)
    return {
        "rewards": rewards, "final": final, "single": single, "logp": lp, "entropy": ent,
        "drawn": [int(drawn[1]), drawn.shape, str(drawn.dtype)],
        "names": [agent.output.name, agent.indexes.name, agent.gradient_holders[1].name,
                  agent.loss.name, agent.update_batch.name, sample.name],
        "static": [str(agent.indexes.shape), str(agent.gradient_holders[0].get_shape()),
                   str(sample.shape)],
    }  # fmt: skip
