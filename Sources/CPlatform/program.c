// The program's own share of memory, made present and counted before anything is reserved.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static _Alignas(65536) unsigned char planning_memory[PLATFORM_PLANNING_BYTES];

void *platform_planning_memory(void) { return planning_memory; }

// Reads a byte of every page of [start, end), and writes it back where the pages are writable, so
// that a later write makes no copy of them. The planning memory is present where it is used.
// Returns the bytes of the pages it made present.
static unsigned long touch(uintptr_t start, uintptr_t end, uintptr_t page, int writable) {
  const uintptr_t skip = (uintptr_t)planning_memory;
  unsigned long bytes = 0;
  for (uintptr_t at = start; at < end; at = (at / page + 1) * page) {
    if (at >= skip && at < skip + PLATFORM_PLANNING_BYTES) continue;
    volatile unsigned char *byte = (volatile unsigned char *)at;
    unsigned char value = *byte;
    if (writable) *byte = value;
    bytes += page;
  }
  return bytes;
}

// Makes a library present whose functions run after launch; the others have done their work then.
static int touch_if_called(struct dl_phdr_info *object, size_t size, void *page) {
  (void)size;
  const uintptr_t called[] = {
    (uintptr_t)&write, getauxval(AT_BASE),
#if defined(__x86_64__)
    (uintptr_t)&fmaf,  // of the portable kernels
#endif
  };
  int is_called = 0;
  for (unsigned i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    const uintptr_t start = object->dlpi_addr + segment->p_vaddr;
    for (unsigned j = 0; j < sizeof called / sizeof *called; j++)
      is_called |= segment->p_type == PT_LOAD && called[j] - start < segment->p_memsz;
  }
  for (unsigned i = 0; i < object->dlpi_phnum && is_called; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    const uintptr_t start = object->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
      touch(start, start + segment->p_memsz, *(const uintptr_t *)page, 0);
  }
  return 0;
}

unsigned long platform_prefault_program(void) {
  const ElfW(Phdr) *header = (const void *)getauxval(AT_PHDR);
  unsigned long count = getauxval(AT_PHNUM);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), base = 0;
  unsigned long bytes = 0;
  int is_static = 1;
  for (unsigned long i = 0; i < count; i++) {
    if (header[i].p_type == PT_PHDR) base = (uintptr_t)header - header[i].p_vaddr;
    if (header[i].p_type == PT_INTERP) is_static = 0;
  }
  // Pages that are made read-only after relocation must not be written.
  uintptr_t fixed_start = 0, fixed_end = 0;
  for (unsigned long i = 0; i < count; i++)
    if (header[i].p_type == PT_GNU_RELRO) {
      fixed_start = base + header[i].p_vaddr;
      fixed_end = (fixed_start + header[i].p_memsz + page - 1) / page * page;
    }
  for (unsigned long i = 0; i < count; i++) {
    if (header[i].p_type != PT_LOAD) continue;
    uintptr_t start = base + header[i].p_vaddr, end = start + header[i].p_memsz;
    if (!(header[i].p_flags & PF_W)) {
      bytes += touch(start, end, page, 0);
    } else if (start >= fixed_start && start < fixed_end) {
      bytes += touch(start, fixed_end < end ? fixed_end : end, page, 0);
      bytes += touch(fixed_end, end, page, 1);
    } else {
      bytes += touch(start, end, page, 1);
    }
  }
  if (is_static) return bytes;
  dl_iterate_phdr(touch_if_called, &page);
  return 0;
}

unsigned long platform_caller_bytes(void) {
  // The kernel puts the name of the program last, above arguments and environment.
  const char *name = (const char *)getauxval(AT_EXECFN);
  if (name == NULL) return 0;
  const uintptr_t page = getauxval(AT_PAGESZ), here = (uintptr_t)__builtin_frame_address(0);
  return ((uintptr_t)name + strlen(name)) / page * page + page - here / page * page;
}

// A line of the file that counts every page; the counters in `status` lag behind by some. The name
// begins with the end of the line before.
static unsigned long rolled_up(const char *name) {
  int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[2048];
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return 0;
  text[length] = 0;
  const char *line = strstr(text, name);
  if (line == NULL) return 0;
  unsigned long kibibytes = 0;
  for (line += strlen(name); *line == ' ' || *line == '\t'; line++) continue;
  for (; *line >= '0' && *line <= '9'; line++)
    kibibytes = kibibytes * 10 + (unsigned long)(*line - '0');
  return kibibytes * 1024;
}

unsigned long platform_resident_bytes(void) { return rolled_up("\nRss:"); }

unsigned long platform_huge_page_bytes(void) { return rolled_up("\nAnonHugePages:"); }
