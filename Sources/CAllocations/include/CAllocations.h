// Counts every heap allocation of the hosted program: its malloc family stands before glibc's.
#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

// Calls of malloc, calloc, realloc, memalign, aligned_alloc and posix_memalign so far.
unsigned long allocations_count(void);

#endif
