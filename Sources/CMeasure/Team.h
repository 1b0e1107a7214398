// Threads that start one piece of work at the same moment and tell how long it took them together.
#ifndef TEAM_H
#define TEAM_H

#define HIDDEN __attribute__((visibility("hidden")))

// The work of thread `index` of `count`.
typedef void (*team_work)(const void *context, int index, int count);

// Seconds from the moment all threads may start until the last has finished; 0 where they could not
// be started. Thread i runs on processors[i]; null pins nothing.
HIDDEN double team_run(int threads, const int *processors, team_work work, const void *context);

#endif
