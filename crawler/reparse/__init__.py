"""Run a spider's callbacks over the stored bodies, without the network, in several processes.

`pages` chooses what is parsed and cuts it into chunks, `replay` calls the callbacks, `diff` says
how what they give differs from what is stored, `work` does this for each chunk in one process or
several, and `writer` stores it, page by page in one transaction each. Nothing of this keeps more
than a few chunks in memory, however many pages there are.
"""
