# Query Shaper: PGXS builds the extension, CMake the unit tests, client programs and benches.
# Every goal works on a machine without PostgreSQL: what is missing gets installed first.

PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/15/bin/pg_config) pg_config)
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

version = 0.1.0
jobs := $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := all
.PHONY: help deps unit isolation tap stager-kill client core-regress bench demo format lint sanitize test programs

help:
	@echo 'make                the extension (QUERY_SHAPER_FAULTS=1: with the fault points of the tests)'
	@echo 'make install        the extension into the server that PG_CONFIG names'
	@echo 'make deps           install the Debian packages that building and testing need'
	@echo 'make demo           real data, live progress bars, predictions against outcomes, a report'
	@echo 'make test           all suites below, in order, with a summary'
	@echo 'make lint           layers, names, settings, twins, version numbers, format'
	@echo 'make unit           Boost.Test over every room of src/core, without a server'
	@echo 'make sanitize       the same under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make installcheck   pg_regress over sql/ in a throwaway cluster'
	@echo 'make isolation      isolation specs in a throwaway cluster, fault points compiled in'
	@echo 'make tap            TAP tests of restarts, crashes and standbys, fault points compiled in'
	@echo 'make stager-kill    five minutes of kill -9 of stagers beside sessions that check every answer'
	@echo 'make client         libpqxx client tests in a throwaway cluster'
	@echo 'make core-regress   the own suites of PostgreSQL on an assert-enabled server (PASSES=2, CONTRIB=1, LEARN=0, FORCED=1, PREFETCH=1)'
	@echo 'make bench          the benches (BENCH="overhead eta predict" selects)'
	@echo 'make format         clang-format over the tree'
	@echo 'make clean          remove what was built'

deps:
	@scripts/install_dependencies.sh

# Goals that need neither PGXS nor the compiler's output of it.
format: deps
	@git ls-files -co --exclude-standard '*.cpp' '*.h' | xargs -r clang-format-14 -i

test: deps
	@scripts/test.sh

demo: deps
	@demo/run.sh

ifeq ($(PGXS),)

clean:
	rm -rf build .deps prelude results output_iso tmp_check query_shaper--*.sql query_shaper.so
	find src -name '*.o' -delete

lint unit sanitize installcheck isolation tap stager-kill client core-regress bench programs all install uninstall: deps
	@if [ -n "$$QUERY_SHAPER_DEPS" ]; then echo 'no PGXS found by $(PG_CONFIG); set PG_CONFIG' >&2; exit 1; fi
	@QUERY_SHAPER_DEPS=1 $(MAKE) $@

else

export PG_CONFIG

MODULE_big = query_shaper
OBJS = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*/*.cpp src/*/*/*.cpp)))
EXTENSION = query_shaper
DATA_built = query_shaper--$(version).sql
REGRESS = $(sort $(patsubst sql/%.sql,%,$(filter-out sql/query_shaper.sql,$(wildcard sql/*.sql))))
isolation_specs = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
NO_INSTALLCHECK = 1
EXTRA_CLEAN = build .deps prelude results output_iso tmp_check

PG_CPPFLAGS = -Isrc -isystem /usr/include/eigen3 -DPGDLLEXPORT='__attribute__((visibility("default")))' \
	-DQUERY_SHAPER_VERSION='"$(version)"'
ifeq ($(QUERY_SHAPER_FAULTS),1)
PG_CPPFLAGS += -DQUERY_SHAPER_FAULT_POINTS
endif
# Modules are loaded RTLD_GLOBAL: hidden symbols keep two C++ extensions from swapping functions.
PG_CXXFLAGS = -std=c++20 -O2 -Wall -Wextra -Wno-unused-parameter -Wno-clobbered -Wno-register \
	-Wno-missing-field-initializers -Wno-cast-function-type -fvisibility=hidden -fno-math-errno $(WERROR)
SHLIB_LINK = -lstdc++

# Bitcode of C++ for the JIT is of no use here and needs clang.
override with_llvm = no
include $(PGXS)

# The server's own dependency tracking is off in Debian and goes by base name.
.deps:
	@mkdir -p $@
%.o: %.cpp Makefile | .deps
	$(COMPILE.cc) $(prelude) -MMD -MP -MF .deps/$(subst /,-,$*).d -o $@ $<
-include $(wildcard .deps/*.d)

# Most of compiling is reading the same headers again. QUERY_SHAPER_PRELUDE=1 reads them once: half the time, but what a
# file forgets to include is not noticed.
ifeq ($(QUERY_SHAPER_PRELUDE),1)
preludes = prelude/core.h prelude/server.h
prelude/core.h: headers = <algorithm> <charconv> <cmath> <cstdint> <cstring> <limits> <string> <type_traits> <vector> \
	<Eigen/Cholesky> <Eigen/Core>
prelude/server.h: headers = <algorithm> <cmath> <csignal> <cstdint> <cstring> <string> <type_traits> \
	"server/query/tracker.h" "server/settings.h" "server/store/knowledge.h"
$(preludes): Makefile
	@mkdir -p $(@D)
	printf '#include %s\n' $(foreach header,$(headers),'$(header)') >$@
$(preludes:=.gch): %.gch: % | .deps
	$(COMPILE.cc) -x c++-header -MMD -MP -MF .deps/$(subst /,-,$*).d -MT $@ -o $@ $<
$(OBJS): prelude = -include prelude/$(if $(filter src/server/%,$@),server,core).h
$(OBJS): $(preludes:=.gch)
endif

query_shaper--$(version).sql: sql/query_shaper.sql
	cp $< $@

installcheck: deps
	@scripts/regress.sh installcheck $(REGRESS)

isolation: deps
	@scripts/regress.sh isolation $(isolation_specs)

lint: deps
	@scripts/lint.sh

# $(call configure,directory,options): quiet unless it fails.
configure = mkdir -p $(1) && { cmake -S . -B $(1) $(2) >$(1)/configure.log 2>&1 || { cat $(1)/configure.log; exit 1; }; }
optimised = $(call configure,build/cmake,-DCMAKE_BUILD_TYPE=RelWithDebInfo)

programs: deps
	@$(optimised)
	@cmake --build build/cmake -j$(jobs)

unit: deps
	@$(optimised)
	@cmake --build build/cmake -j$(jobs) --target query_shaper_units
	@scripts/unit.sh unit build/cmake

sanitize: deps
	@$(call configure,build/sanitize,-DCMAKE_BUILD_TYPE=Debug -DQUERY_SHAPER_SANITIZE=ON)
	@cmake --build build/sanitize -j$(jobs) --target query_shaper_units
	@scripts/unit.sh sanitize build/sanitize

client: deps
	@$(optimised)
	@cmake --build build/cmake -j$(jobs) --target query_shaper_clients
	@scripts/client.sh

bench: deps
	@$(optimised)
	@cmake --build build/cmake -j$(jobs) --target query_shaper_benches
	@bench/run.sh $(BENCH)

tap: deps
	@scripts/tap.sh

stager-kill: deps
	@QUERY_SHAPER_KILL_SECONDS=300 PG_TEST_TIMEOUT_DEFAULT=600 TAP_TESTS=031_staging scripts/tap.sh

core-regress: deps
	@scripts/core_regress.sh

endif
