"""What a transition system, a program, a choice, a schedule and a trace are; the SimPy engine.

Nothing here knows Arm or Linux. Nothing here knows randomness, clocks or asyncio, and only
`engine` knows SimPy.
"""
