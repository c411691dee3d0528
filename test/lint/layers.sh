#!/usr/bin/env bash
# Who may include whom: storeys core <- pg <- server, ranks of rooms inside core and server, and core's purity.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

for dir in src test/unit; do
  if [ -d "$dir" ]; then
    find "$dir" -name '*.h' -o -name '*.cpp'
  fi
done | sort | perl -ne '
  BEGIN {
    # A room may include rooms of lower rank and itself; rooms of one rank do not know each other.
    %core = (base => 0, plan => 1, predict => 2, cardinality => 2, track => 3, pool => 3, intake => 3, prefetch => 3,
             jobs => 3, decide => 4, report => 5);
    %server = ("" => 0, pool => 1, store => 1, query => 2, scan => 2, workers => 2, functions => 3);
    $bad = 0;
  }
  sub complain { my ($what) = @_; print "$file:$line: $what\n"; $bad = 1; }
  chomp;
  $file = $_;
  open(my $in, "<", $file) or die "$file: $!";
  my ($storey, $room) = ("", "");
  if ($file =~ m{^test/unit/([^/]+)/}) { ($storey, $room) = ("unit", $1); }
  elsif ($file =~ m{^src/(core|server)/([^/]+)/}) { ($storey, $room) = ($1, $2); }
  elsif ($file =~ m{^src/(core|pg|server)/[^/]+$}) { ($storey, $room) = ($1, ""); }
  else { $line = 1; complain("belongs to no storey"); next; }
  $line = 1;
  complain("room \"$room\" has no rank in test/lint/layers.sh") if $storey eq "core" && !exists $core{$room};
  complain("room \"$room\" has no rank in test/lint/layers.sh") if $storey eq "server" && !exists $server{$room};
  my $table_of_contents = $file eq "src/server/query_shaper.cpp";
  my $first_include = "";
  while (my $text = <$in>) {
    $line = $.;
    if ($text =~ m{^\s*#\s*include\s+(["<])([^">]+)[">]}) {
      my ($how, $path) = ($1, $2);
      $first_include ||= $path;
      if ($storey eq "core" || $storey eq "unit") {
        if ($how eq "\"") {
          if ($storey eq "core" && $path =~ m{^core/([^/]+)/}) {
            my $other = $1;
            if (!exists $core{$other}) { complain("include of unknown room $other"); }
            elsif ($other ne $room && $core{$other} >= $core{$room}) { complain("core/$room may not include core/$other"); }
          } elsif ($path !~ m{^core/} && !($storey eq "unit" && $path !~ m{^(pg|server)/} && -e "test/unit/$path")) {
            complain("core includes core, Eigen and the standard library alone, not \"$path\"");
          }
        } elsif ($path =~ m{^Eigen/}) {
        } elsif ($storey eq "unit" && $path =~ m{^boost/}) {
        } elsif ($path =~ m{[./]}) {
          complain("core includes core, Eigen and the standard library alone, not <$path>");
        } elsif ($storey eq "core" && $path =~ m{^(iostream|fstream|cstdio|random|thread|mutex|filesystem|ctime)$}) {
          complain("core has no input, output, clock, threads or randomness of its own: <$path>");
        }
      } elsif ($storey eq "pg") {
        complain("pg may not include $path") if $path =~ m{^server/};
      } elsif ($path =~ m{^server/(?:([^/]+)/)?[^/]+$} && !$table_of_contents) {
        my $other = $1 // "";
        if (!exists $server{$other}) { complain("include of unknown room $other"); }
        elsif ($other ne $room && $server{$other} >= $server{$room}) {
          complain("server/" . ($room || "(top)") . " may not include server/" . ($other || "(top)"));
        }
      }
    } elsif ($storey eq "core") {
      (my $code = $text) =~ s{//.*}{};
      if ($code =~ m{\b(?:system_clock|steady_clock|high_resolution_clock)\b|\brandom_device\b|\b(?:std::)?(?:rand|getenv|printf|fopen)\s*\(|\bgettimeofday\b}) {
        complain("core takes time and randomness as parameters and does no input or output");
      }
    }
  }
  # PostgreSQL wants postgres.h before any other header; the door brings it.
  if ($storey eq "server" && $file =~ /\.cpp$/ && $first_include ne "pg/pg.h") {
    $line = 1;
    complain("the first include of a server source is \"pg/pg.h\"");
  }
  close $in;
  END { $? = $bad; }
'
