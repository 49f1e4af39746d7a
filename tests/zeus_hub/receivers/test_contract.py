from zeus_hub.receivers.contract import DownError


def test_trouble_says_what_it_is_and_whether_waiting_helps() -> None:
    usual, told = DownError("connection refused"), DownError("the key is wrong", misconfigured=True)
    assert (str(usual), usual.retry_after, usual.misconfigured) == ("connection refused", None, False)
    assert (str(told), told.misconfigured) == ("the key is wrong", True)
    assert DownError("wait", retry_after=3).retry_after == 3
    assert (usual.alone, DownError("greylisted", alone=True).alone) == (False, True)
