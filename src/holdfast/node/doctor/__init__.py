"""Examining this machine: can it do what its rules ask? Reads and asks, changes nothing, needs no running agent.

`judged` is pure: facts to findings. `facts` looks at the kernel, disks and files, `reaching` asks others. `examine` puts them together.
"""

from holdfast.node.doctor.examination import examine

__all__ = ["examine"]
