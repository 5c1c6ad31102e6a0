/* The likeliest states of sequences that stand end to end, by Viterbi's recursion:
   d_t(j) = log b_t(j) + max over i of (d_{t-1}(i) + log A(i, j)). Of states that are
   equally good the first is taken; those of an impossible sequence are -1. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* now, next: room for a number of each state; from: for one of each step and state. */
void viterbi(const double *start, const double *moves, const double *log_b,
             const int64_t *lengths, long sequences, long states, double *now,
             double *next, int64_t *from, int64_t *path, double *log_probs) {
  for (long q = 0; q < sequences; q++) {
    const long time = lengths[q];
    for (long j = 0; j < states && time; j++) now[j] = start[j] + log_b[j];
    for (long t = 1; t < time; t++) {
      int64_t *const origin = from + t * states;
      for (long j = 0; j < states; j++) next[j] = now[0] + moves[j], origin[j] = 0;
      for (long i = 1; i < states; i++)
        for (long j = 0; j < states; j++) {
          const double value = now[i] + moves[i * states + j];
          const int better = value > next[j];
          next[j] = better ? value : next[j];
          origin[j] = better ? i : origin[j];
        }
      for (long j = 0; j < states; j++) now[j] = next[j] + log_b[t * states + j];
    }
    long best = 0;
    for (long j = 1; j < states && time; j++)
      if (now[j] > now[best]) best = j;
    log_probs[q] = time ? now[best] : 0;
    const int possible = time == 0 || now[best] > -INFINITY;
    for (long t = time - 1; t >= 0; t--) {
      path[t] = possible ? best : -1;
      if (t) best = from[t * states + best];
    }
    log_b += time * states, path += time;
  }
}
