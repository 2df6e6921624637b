# Makefile: builds dlnc (the compiler) and libdln.a (the host program's library), and runs what belongs to them.
# SPDX-License-Identifier: MIT
#
#   make            dlnc and libdln.a in $(BUILD)            make demo      from nothing to a trained network
#   make mpi        libdln_mpi.a, for training by several processes (docs/program.md)
#   make test       every test, a line for each               make lint      the rules of the tree, without a compiler
#   make bench      the measurements                          make install   PREFIX=/usr/local DESTDIR=
#   make docs       the reference and the editors' files          make format    clang-format, and dlnc --format on .dln files
#   make random     more random programs (N=100000 FIRST=0)        make fuzz      libFuzzer (FUZZ_SECONDS=60, FUZZ_RUNS=)
#   make coverage   gcov over the tests                       make deps      finds or installs what a build needs
#   make mutation   N small mistakes in the passes: do the tests notice? (N=200 SEED=1, an hour)
#
# Folders are read by wildcards: a new .c file in a folder of the compiler, a new .dln file in the library, a new
# header of the core, a new tests/unit/test_*.c or tests/*/run needs no edit here.

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
AR      ?= ar
FLEX    ?= flex
BISON   ?= bison

WARNINGS  = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
DLN_FLAGS = -std=c11 -D_GNU_SOURCE $(WARNINGS) -Icompiler -Iruntime -Iruntime/host -I$(BUILD)/grammar \
            -DDLNC_VERSION='"$(VERSION)"'
HOST_LIBS = -lz -ljansson -lm
# how a generated file is compiled: the same flags stand in its first lines
MODEL_FLAGS = -O3 -march=native -ffp-contract=off -fno-math-errno -fopenmp

GRAMMAR  := $(BUILD)/grammar/dln
COMPILER := $(filter-out compiler/main.c,$(wildcard compiler/*.c compiler/*/*.c))
LIBRARY  := $(sort $(wildcard compiler/library/*.dln))
WORDS    := compiler/library/words.txt
CORE     := $(sort $(wildcard runtime/core/*.h))
HOST     := $(wildcard runtime/host/*.c)
UNITS    := $(wildcard tests/unit/test_*.c)
UNIT_HELP := $(filter-out $(UNITS),$(wildcard tests/unit/*.c))

PAGE     := compiler/emit/page.css compiler/emit/page.js

OBJECTS  := $(COMPILER:%.c=$(BUILD)/%.o) $(BUILD)/library.o $(BUILD)/core_text.o $(BUILD)/page_text.o $(BUILD)/word_text.o \
            $(if $(wildcard grammar/dln.y),$(GRAMMAR).tab.o) $(if $(wildcard grammar/dln.l),$(GRAMMAR).lex.o)
UNIT_PROGRAMS := $(UNITS:%.c=$(BUILD)/%)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all mpi demo demo-run test test-run units lint bench format clean install uninstall deps random fuzz coverage mutation docs

all: $(BUILD)/dlnc $(BUILD)/libdln.a $(BUILD)/dln.h

# ---- the compiler
$(BUILD)/dlnc: $(BUILD)/compiler/main.o $(BUILD)/libdlnc.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lm $(LDLIBS)

# everything of the compiler but main: what unit tests, fuzzers and dlnc link with
$(BUILD)/libdlnc.a: $(OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/compiler/%.o: compiler/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# the parser's header must exist before the first file that includes it is compiled
$(COMPILER:%.c=$(BUILD)/%.o) $(BUILD)/compiler/main.o: | $(if $(wildcard grammar/dln.y),$(GRAMMAR).tab.c)

$(GRAMMAR).tab.c $(GRAMMAR).tab.h &: grammar/dln.y
	@mkdir -p $(@D)
	$(BISON) -Wall -Wcounterexamples -Werror --header=$(GRAMMAR).tab.h -o $(GRAMMAR).tab.c $<

$(GRAMMAR).lex.c: grammar/dln.l $(GRAMMAR).tab.h
	@mkdir -p $(@D)
	$(FLEX) -o $@ $<

# what flex and bison write is not held to our warnings
$(GRAMMAR).%.o: $(GRAMMAR).%.c
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -Wno-sign-compare -Wno-unused-function -Wno-missing-prototypes -Wno-shadow \
	    -MMD -MP -c -o $@ $<

# the library and the core, embedded as text
$(BUILD)/library.c: $(LIBRARY) compiler/library tools/embed_files
	@mkdir -p $(@D)
	tools/embed_files library_files library $(LIBRARY) > $@

$(BUILD)/core_text.c: $(CORE) runtime/core tools/embed_files
	@mkdir -p $(@D)
	tools/embed_files core_files core $(CORE) > $@

$(BUILD)/page_text.c: $(PAGE) tools/embed_files
	@mkdir -p $(@D)
	tools/embed_files page_files page $(PAGE) > $@

$(BUILD)/word_text.c: $(WORDS) tools/embed_files
	@mkdir -p $(@D)
	tools/embed_files word_files library $(WORDS) > $@

$(BUILD)/library.o $(BUILD)/core_text.o $(BUILD)/page_text.o $(BUILD)/word_text.o: $(BUILD)/%.o: $(BUILD)/%.c
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- the host program's library; with protobuf-c, which it takes into itself, `export FILE.onnx` works
PROTOBUF := $(if $(shell command -v protoc-c),$(filter /%,$(shell $(CC) -print-file-name=libprotobuf-c.a)))
HOST_OBJECTS := $(HOST:%.c=$(BUILD)/%.o)
ifneq ($(PROTOBUF),)
HOST_OBJECTS := $(patsubst %/host/onnx.o,%/onnx/onnx.o,$(HOST_OBJECTS:%/host/onnx_fold.o=%/onnx/onnx_fold.o)) \
                $(BUILD)/runtime/onnx/onnx.pb-c.o $(BUILD)/runtime/onnx/protobuf-c.o
endif

$(BUILD)/libdln.a: $(HOST_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

# the same with MPI, for `mpirun -n 4 ./mlp train`: compile the model with mpicc, link with libdln_mpi.a
MPICC ?= mpicc
mpi: $(BUILD)/dlnc $(BUILD)/libdln_mpi.a $(BUILD)/dln.h
$(BUILD)/libdln_mpi.a: $(HOST_OBJECTS) $(BUILD)/mpi/mpi.o
	@rm -f $@
	$(AR) rcs $@ $(filter-out $(BUILD)/runtime/host/mpi.o,$^)

$(BUILD)/mpi/mpi.o: runtime/host/mpi.c
	@mkdir -p $(@D)
	$(MPICC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -DDLN_MPI -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/runtime/onnx/onnx.pb-c.c: runtime/host/onnx.proto
	@mkdir -p $(@D)
	protoc-c --c_out=$(@D) --proto_path=$(<D) $<

$(BUILD)/runtime/onnx/onnx.pb-c.o: $(BUILD)/runtime/onnx/onnx.pb-c.c
	$(CC) $(CPPFLAGS) -std=c11 $(CFLAGS) -fPIC -c -o $@ $<

$(BUILD)/runtime/onnx/onnx.o $(BUILD)/runtime/onnx/onnx_fold.o: $(BUILD)/runtime/onnx/%.o: runtime/host/%.c $(BUILD)/runtime/onnx/onnx.pb-c.c
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -DDLN_ONNX -I$(@D) -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/runtime/onnx/protobuf-c.o: $(PROTOBUF)
	@mkdir -p $(@D)
	ld -r --whole-archive -o $@ $<

$(BUILD)/runtime/%.o: runtime/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(BUILD)/dln.h: runtime/host/dln.h
	@mkdir -p $(@D)
	cp $< $@

# ---- data that comes with the project
$(BUILD)/digits: $(wildcard examples/digits/*.c examples/digits/*.h)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 $(WARNINGS) $(CFLAGS) -ffp-contract=off -o $@ $(filter %.c,$^) -lm

$(BUILD)/demo/digits/train-images-idx3-ubyte: $(BUILD)/digits
	@mkdir -p $(@D)
	$(BUILD)/digits $(@D)

# ---- demo
demo: deps
	@$(MAKE) --no-print-directory demo-run

demo-run: all $(BUILD)/demo/digits/train-images-idx3-ubyte
	$(BUILD)/dlnc examples/mnist_mlp.dln -o $(BUILD)/demo/mlp.c
	$(CC) $(MODEL_FLAGS) -DDLN_MAIN -I$(BUILD) $(BUILD)/demo/mlp.c $(BUILD)/libdln.a $(HOST_LIBS) -o $(BUILD)/demo/mlp
	cd $(BUILD)/demo && ./mlp train --data digits
	@echo
	@echo "The whole network, its training included, is one C file:  $(BUILD)/demo/mlp.c  (interface: mlp.h beside it)"
	@echo "Its source:  examples/mnist_mlp.dln     Train again:  $(BUILD)/demo/mlp train --data $(BUILD)/demo/digits"

# ---- tests: each unit test and each executable tests/*/run, a line for each
test:
	@tools/deps tests
	@$(MAKE) --no-print-directory test-run

test-run:
	@$(MAKE) --no-print-directory all $(BUILD)/digits
	@$(MAKE) --no-print-directory -k units || echo "some unit tests do not build: they count as failures"
	@BUILD="$(abspath $(BUILD))" CC="$(CC)" tests/run $(UNIT_PROGRAMS)

units: $(UNIT_PROGRAMS)

# the other .c files of tests/unit help every test
$(BUILD)/libunit.a: $(UNIT_HELP:%.c=$(BUILD)/%.o)
	@rm -f $@
	$(AR) rcs $@ $^

$(UNIT_HELP:%.c=$(BUILD)/%.o): $(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_PROGRAMS): $(BUILD)/%: %.c $(BUILD)/libunit.a $(BUILD)/libdlnc.a $(BUILD)/libdln.a
	@mkdir -p $(@D) && rm -f $@
	$(CC) $(CPPFLAGS) $(DLN_FLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libunit.a $(BUILD)/libdlnc.a \
	    $(BUILD)/libdln.a -lcriterion $(HOST_LIBS)

lint:
	@tests/lint/run

random: all
	@BUILD="$(abspath $(BUILD))" DLNC="$(abspath $(BUILD))/dlnc" COUNT=$(or $(N),$(COUNT),10000) FOUND_FOLDER=tests/random/found tests/random/run

bench: all
	@BUILD="$(abspath $(BUILD))" DLNC="$(abspath $(BUILD))/dlnc" bench/run

# ---- fuzzing: tests/fuzz/fuzz_*.c, each with the whole compiler and the host library, under ASan and UBSan: FUZZ_RUNS
# inputs or FUZZ_SECONDS for each target, FUZZ="csv npy" for some. Comparisons are not watched: the mutators know the words.
FUZZ_BUILD = $(BUILD)/fuzz
fuzz: deps
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) CC=clang \
	    CFLAGS="-O2 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-sanitize-coverage=trace-cmp" \
	    $(FUZZ_BUILD)/libdlnc.a $(FUZZ_BUILD)/libdln.a
	@BUILD="$(abspath $(FUZZ_BUILD))" FUZZ="$(FUZZ)" FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(or $(FUZZ_SECONDS),$(if $(FUZZ_RUNS),0,60)) \
	    tests/fuzz/search

coverage: deps
	@tools/coverage $(BUILD)/coverage

mutation: deps
	@nice tests/mutation/mutate -n $(or $(N),200) -s $(or $(SEED),1) $(BUILD)

docs: $(BUILD)/dlnc
	tools/reference $(LIBRARY) $(WORDS) > docs/reference.md
	tools/highlight vim > editor/vim/syntax/dln.vim
	tools/highlight vscode > editor/vscode/syntaxes/dln.tmLanguage.json
	tools/excerpt $(BUILD)/dlnc README.md > $(BUILD)/README.md && cat $(BUILD)/README.md > README.md

format: all
	clang-format -i $(wildcard compiler/*.c compiler/*/*.[ch] runtime/*/*.[ch] tests/*/*.[ch] examples/*/*.[ch])
	for file in examples/*.dln; do $(BUILD)/dlnc --format "$$file" > $(BUILD)/formatted && cat $(BUILD)/formatted > "$$file"; done

deps:
	@tools/deps

# the folders may have blanks in their names; DESTDIR is not written into any file
INSTALLED = bin/dlnc lib/libdln.a include/dln.h lib/pkgconfig/dlnc.pc share/man/man1/dlnc.1 \
            share/vim/vimfiles/syntax/dln.vim share/vim/vimfiles/ftdetect/dln.vim share/bash-completion/completions/dlnc \
            share/zsh/site-functions/_dlnc
INSTALLED_FOLDERS = include/dln share/dlnc lib/cmake/dlnc
install: all
	to="$(DESTDIR)$(PREFIX)"; set -e; \
	for folder in $(sort $(dir $(INSTALLED))) include/dln/core share/dlnc/examples lib/cmake/dlnc; do install -d "$$to/$$folder"; done; \
	install -m 755 $(BUILD)/dlnc "$$to/bin/dlnc"; \
	install -m 644 $(BUILD)/libdln.a "$$to/lib/"; \
	install -m 644 runtime/host/dln.h "$$to/include/"; \
	install -m 644 $(CORE) "$$to/include/dln/core/"; \
	install -m 644 docs/dlnc.1 "$$to/share/man/man1/"; \
	install -m 644 $(wildcard examples/*.dln) "$$to/share/dlnc/examples/"; \
	install -m 644 editor/vim/syntax/dln.vim "$$to/share/vim/vimfiles/syntax/"; \
	install -m 644 editor/vim/ftdetect/dln.vim "$$to/share/vim/vimfiles/ftdetect/"; \
	install -m 644 tools/dlnc.bash "$$to/share/bash-completion/completions/dlnc"; \
	install -m 644 tools/dlnc.zsh "$$to/share/zsh/site-functions/_dlnc"; \
	install -m 644 tools/dlncConfig.cmake "$$to/lib/cmake/dlnc/"; \
	for file in lib/cmake/dlnc/dlncConfigVersion.cmake lib/pkgconfig/dlnc.pc; do \
	    sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' tools/$${file##*/}.in >"$$to/$$file"; chmod 644 "$$to/$$file"; \
	done

uninstall:
	to="$(DESTDIR)$(PREFIX)"; \
	for file in $(INSTALLED); do rm -f "$$to/$$file"; done; \
	for folder in $(INSTALLED_FOLDERS); do rm -rf "$$to/$$folder"; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' -type f -not -path '$(BUILD)/tests/hostile/*' -not -path '$(BUILD)/tests/builds/*' 2>/dev/null)
