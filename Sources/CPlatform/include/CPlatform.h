// Linux calls and the thread pool. C, because errno, variadic calls, structures of the C library
// and atomic waiting cannot be said in Embedded Swift. No header of the C library is included here,
// so that Swift sees only these declarations.
// Calls that return `long` return what the kernel returned, or the error number negated.
#ifndef CPLATFORM_H
#define CPLATFORM_H

// Files.
long platform_open(const void *_Nonnull path);
long platform_create(const void *_Nonnull path);
long platform_rename(const void *_Nonnull source, const void *_Nonnull destination);
long platform_remove(const void *_Nonnull path);
long platform_close(int file);
// The size, or -EINVAL for what is not a regular file.
long platform_file_size(int file);
long platform_read(int file, void *_Nonnull buffer, unsigned long count);
long platform_read_at(int file, void *_Nonnull buffer, unsigned long count, unsigned long offset);
long platform_write(int file, const void *_Nonnull bytes, unsigned long count);
void platform_advise(int file, unsigned long offset, unsigned long count, int finished);
int platform_is_terminal(int file);
long platform_executable_path(void *_Nonnull buffer, unsigned long count);

// Machine.
unsigned long platform_nanoseconds(void);
long platform_page_size(void);
long platform_processors(int *_Nonnull numbers, long capacity);
unsigned long platform_processor_features(int word);

// Memory. `platform_reserve` returns NULL and sets `*error` where it fails.
void *_Nullable platform_reserve(unsigned long count, int huge_pages, int locked,
                                 long *_Nonnull error);
// Heap allocations so far; 0 where the program has no counter (see CAllocations) and no heap.
unsigned long platform_allocation_count(void);
void platform_prefault_stack(unsigned long count);
// Makes the code and data of the program present, but not the planning memory. Returns their bytes
// where that is the whole program; 0 where it has libraries, which only the kernel can count. Those
// that are called after launch are made present too, as far as they are not written.
unsigned long platform_prefault_program(void);
// The stack from the caller's frame up to its end, in whole pages: frames, arguments, environment.
unsigned long platform_caller_bytes(void);
// Every page that is present now, counted exactly; 0 where the kernel does not tell.
unsigned long platform_resident_bytes(void);
// Those of them that are in huge pages; 0 where the kernel does not tell.
unsigned long platform_huge_page_bytes(void);
// Zeroed memory of the program itself, for what is needed before anything is reserved.
enum { PLATFORM_PLANNING_BYTES = 1280 << 10 };
void *_Nonnull platform_planning_memory(void);
// The text of /proc/self/status; the file stays open from the first call on.
long platform_status(void *_Nonnull buffer, unsigned long count);

// Life of the process.
void platform_prepare(void);
int platform_is_interrupted(void);
void platform_exit(int code) __attribute__((noreturn));
enum { PLATFORM_FILTERS_CALLS = 1, PLATFORM_LIMITS_MEMORY = 2 };
// Sets the limits, then the filter on all threads; returns the bits of what took effect.
long platform_seal(unsigned long address_space_bytes, unsigned long stack_bytes, int publishing);

// Thread pool.
typedef void (*platform_body)(void *_Nonnull context, long index, long count);
enum {
  // The largest context of `platform_pool_compute`.
  PLATFORM_POOL_CONTEXT_BYTES = 2048,
  PLATFORM_POOL_STATE_BYTES = 2432,
  PLATFORM_POOL_MEMBER_BYTES = 128,
};
// `memory` is page-aligned and zeroed: whole pages of state, of so many bytes as above says, then
// per started thread a guard page and `stack_bytes` of stack. `processors` stays valid: one for
// each thread where it is pinned, else those that all threads may use; none where that is open.
long platform_pool_start(void *_Nonnull memory, long threads, unsigned long stack_bytes,
                         unsigned long spin_microseconds, const int *_Nonnull processors,
                         long processor_count, int is_pinned);
// Calls `body` on every thread that has time for it, each time with a copy of the context, and
// returns when every step of it is complete.
void platform_pool_compute(void *_Nonnull pool, platform_body _Nonnull body,
                           void *_Nonnull context, unsigned long bytes);
// Inside such a body: the next range of the step at hand, its first item in the lower half and the
// number of items in the upper one. It is done when the thread asks again. 0: the step, which has
// `count` items (1 to 65,535), is complete, and the thread is in the next one.
unsigned long platform_pool_claim(void *_Nonnull pool, long index, long count, long grain);

#endif
