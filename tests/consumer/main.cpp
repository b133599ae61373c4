// SPDX-License-Identifier: Apache-2.0
#include <chainrule/version.h>

#include <cstdio>

int main() { return std::puts(chainrule::version()) < 0; }
