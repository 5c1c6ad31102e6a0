from __future__ import annotations

import signal
import threading

import pytest

from recurro.train.interrupts import Interrupts


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_is_held_back_and_the_second_is_not():
    with Interrupts() as interrupts:
        press()
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            press()


def test_a_patient_one_holds_all_back():
    with Interrupts(patient=True) as interrupts:
        press()
        press()
        with interrupts.at_once():
            press()
        assert interrupts.asked


def test_where_nothing_is_half_done_it_comes_at_once():
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        with interrupts.at_once():
            press()
        raise AssertionError("not reached")


def test_one_held_back_comes_on_entering_such_a_place():
    with Interrupts() as interrupts:
        press()
        with pytest.raises(KeyboardInterrupt), interrupts.at_once():
            raise AssertionError("not reached")


def test_afterwards_ctrl_c_is_as_before():
    with Interrupts():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_in_another_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def work():
        with Interrupts() as interrupts:
            seen.append((interrupts.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
