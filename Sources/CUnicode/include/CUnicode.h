// Character classes as llama.cpp has them, for cutting text into words.
#ifndef TERRARIUM_CUNICODE_H
#define TERRARIUM_CUNICODE_H

#include <stdint.h>

// 1: letter, 2: number, 3: punctuation, 4: white space, 0: anything else or no code point.
uint8_t unicode_class(uint32_t code_point);

#endif
