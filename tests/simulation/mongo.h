/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mongo: the MongoDB driver as our programs call it; the archive's documents are the ledger's.
 *
 * Threads: one.
 */
#ifndef SIMULATION_MONGO_H
#define SIMULATION_MONGO_H

/* No snapshot of the counters is there. */
void mongo_start(void);

#endif
