// How a command enters the program: one file per command, one line in main.cpp's table.
#pragma once

#include <CLI/CLI.hpp>

namespace btm {

// Adds the command with its options and help to the app; the callback does the work and throws Error.
void add_average(CLI::App& app);
void add_branch(CLI::App& app);
void add_doctor(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_export(CLI::App& app);
void add_generate(CLI::App& app);
void add_grow(CLI::App& app);
void add_import(CLI::App& app);
void add_lineage(CLI::App& app);
void add_ls(CLI::App& app);
void add_merge(CLI::App& app);
void add_posterior(CLI::App& app);
void add_prepare(CLI::App& app);
void add_remove(CLI::App& app);
void add_report(CLI::App& app);
void add_show(CLI::App& app);
void add_study(CLI::App& app);
void add_tokenize(CLI::App& app);
void add_train(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace btm
