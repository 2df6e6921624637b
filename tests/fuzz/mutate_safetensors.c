/* mutate_safetensors.c: how libFuzzer changes a safetensors file: three times of four within the header, whose length is
 * then made right again, otherwise anywhere. SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0 && size >= 8; i--) length = length << 8 | data[i];
    if (size < 10 || length > size - 8 || seed % 4 == 0) return LLVMFuzzerMutate(data, size, room);
    const size_t values = size - 8 - (size_t)length;
    uint8_t *kept = malloc(values + 1);
    if (!kept) return size;
    memcpy(kept, data + 8 + length, values);
    length = LLVMFuzzerMutate(data + 8, (size_t)length, room - 8 - values);
    memcpy(data + 8 + length, kept, values);
    free(kept);
    for (int i = 0; i < 8; i++) data[i] = (uint8_t)(length >> 8 * i);
    return 8 + (size_t)length + values;
}
