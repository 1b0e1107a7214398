#define _GNU_SOURCE
#include "Team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct team {
  team_work work;
  const void *context;
  int threads;
  // Threads that are in place, and whether all of them may start.
  _Atomic int present;
  _Atomic int started;
};

struct member {
  struct team *team;
  int index;
  int processor;
  double end;
};

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *take_part(void *argument) {
  struct member *member = argument;
  struct team *team = member->team;
  if (member->processor >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(member->processor, &set);
    // A processor that has gone away leaves the thread where it is.
    sched_setaffinity(0, sizeof set, &set);
  }
  atomic_fetch_add(&team->present, 1);
  // More threads than processors would wait for each other for ever without yielding.
  while (!atomic_load(&team->started)) sched_yield();
  if (team->work) team->work(team->context, member->index, team->threads);
  member->end = seconds();
  return NULL;
}

HIDDEN double team_run(int threads, const int *processors, team_work work, const void *context) {
  struct team team = {.work = work, .context = context, .threads = threads};
  struct member *members = calloc((size_t)threads, sizeof *members);
  pthread_t *handles = calloc((size_t)threads, sizeof *handles);
  int begun = 0;
  while (members && handles && begun < threads) {
    members[begun] = (struct member){&team, begun, processors ? processors[begun] : -1, 0};
    if (pthread_create(&handles[begun], NULL, take_part, &members[begun]) != 0) break;
    begun++;
  }
  while (atomic_load(&team.present) < begun) sched_yield();
  // Too few threads leave without work.
  if (begun < threads) team.work = NULL;
  double start = seconds(), end = start;
  atomic_store(&team.started, 1);
  for (int i = 0; i < begun; i++) {
    pthread_join(handles[i], NULL);
    if (members[i].end > end) end = members[i].end;
  }
  free(members);
  free(handles);
  return begun == threads ? end - start : 0;
}
