# SPDX-License-Identifier: Apache-2.0
"""Goal: a stage's rate is that of its settled part. Method: samples as the shape's loop gives."""

from stage import Stage


def test_the_start_of_a_stage_does_not_count():
    stage = Stage(users=10, seconds=10)
    for second, requests in enumerate([0, 10, 30, 130, 230, 330, 430]):
        stage.sample(second, requests)
    assert stage.rate_target == 100 and stage.rate == 100
    assert stage.reached(1)


def test_a_slow_stage_is_seen():
    stage = Stage(users=10, seconds=10)
    stage.sample(4, 400)
    stage.sample(9, 800)
    assert stage.rate == 80
    assert stage.reached(0.8) and not stage.reached(0.9)


def test_too_few_samples_are_no_success():
    stage = Stage(users=10, seconds=10)
    stage.sample(4, 400)
    assert stage.rate is None and not stage.reached(0.1)
